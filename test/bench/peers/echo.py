"""What app/web/routes/echo.ts answers, from a WSGI request."""

import json
import os
import socket
import uuid
from datetime import datetime, timezone
from urllib.parse import parse_qsl

INSTANCE = {'host': socket.gethostname(), 'pid': os.getpid()}
RELEASE = os.environ.get('RELEASE') or 'peer'


def echo(method, path, query, host, headers, cookies, body):
    """The answer as JSON text. `headers` has names in lower case; `query` is text."""
    text = body.decode('utf8', 'replace')
    ip = headers.get('x-forwarded-for', '127.0.0.1')
    now = datetime.now(timezone.utc)
    answer = {
        'id': headers.get('x-request-id'),
        'uuid': str(uuid.uuid4()),
        'time': now.isoformat(timespec='milliseconds').replace('+00:00', 'Z'),
        'release': RELEASE,
        'instance': INSTANCE,
        'method': method,
        'path': path,
        'query': dict(parse_qsl(query)),
        'protocol': headers.get('x-forwarded-proto', 'http'),
        'host': host,
        'ip': ip,
        'ips': [ip],
        'headers': headers,
        'cookies': cookies,
        'body': {'bytes': len(body), 'text': text, 'json': parse_json(text), 'form': parse_form(headers, text)},
    }
    return json.dumps(answer, separators=(',', ':'))


def parse_json(text):
    if text == '':
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def parse_form(headers, text):
    if not headers.get('content-type', '').startswith('application/x-www-form-urlencoded'):
        return None
    return parse_qsl(text, keep_blank_values=True)
