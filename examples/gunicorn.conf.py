"""Four workers that count as one. gunicorn reads this file from the directory in which it is started.

gunicorn bottle_example:app
"""

bind = "127.0.0.1:8000"
workers = 4
threads = 8  # of each worker; who follows /logs occupies one
