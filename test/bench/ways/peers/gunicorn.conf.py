wsgi_app = 'app:application'
chdir = '/srv'
workers = 8


def post_worker_init(worker):
    """Says when a worker has the app and is about to accept."""
    with open('/ways/version') as version, open('/run/ways/ready', 'a') as ready:
        ready.write(version.read())
