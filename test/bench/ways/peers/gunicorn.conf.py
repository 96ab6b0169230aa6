wsgi_app = 'app:application'
chdir = '/srv'
worker_class = 'gthread'
workers = 4
threads = 4


def post_worker_init(worker):
    """Says when a worker has the app and is about to accept."""
    with open('/ways/version') as version, open('/run/ways/ready', 'a') as ready:
        ready.write(version.read())
