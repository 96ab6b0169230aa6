"""A small WSGI app: short answers, a POST, and a slow answer. What it is a release of, it reads once, when it is imported."""

import json
import time
from urllib.parse import parse_qs

with open('/ways/version') as file:
    VERSION = file.read().strip()
# As long as an app of usual size takes to be imported.
time.sleep(0.5)


def application(environ, start_response):
    path = environ['PATH_INFO']
    query = parse_qs(environ.get('QUERY_STRING', ''))
    kind = 'application/json'
    if path == '/':
        kind, text = 'text/html', '<!doctype html><html><body>hello</body></html>'
    elif path == '/version':
        kind, text = 'text/plain', VERSION
    elif path == '/slow':
        time.sleep(int(query['ms'][0]) / 1000)
        kind, text = 'text/plain', 'done'
    elif path == '/update':
        body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
        text = json.dumps({'done': json.loads(body)['id']})
    else:
        text = json.dumps({'query': query})
    data = text.encode()
    start_response('200 OK', [
        ('Content-Type', kind),
        ('Content-Length', str(len(data))),
        ('X-Release', VERSION),
        ('X-Request-ID', environ.get('HTTP_X_REQUEST_ID', '')),
    ])
    return [data]
