"""Read by gunicorn: 2 x cores + 1 workers, as its manual advises; of the kinds and numbers tried, the fastest on `/`."""

from os import cpu_count

bind = '127.0.0.1:3000'
worker_class = 'gthread'
workers = 2 * cpu_count() + 1
threads = 2
keepalive = 75
backlog = 4096
worker_tmp_dir = '/dev/shm'
accesslog = None
errorlog = '-'
loglevel = 'warning'
