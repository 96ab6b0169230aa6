"""The race board of this repository as a Flask app: the same statements, the same page, the same echo."""

import os
import re
import uuid

from flask import Flask, Response, abort, render_template, request

import board
import database
from echo import echo

RELEASE = os.environ.get('RELEASE') or 'peer'
MAX_TEXT = 280
SANE_ID = re.compile(r'[A-Za-z0-9._-]{1,64}')

app = Flask(__name__, template_folder='.', static_folder=None)
app.jinja_env.autoescape = True
app.jinja_env.trim_blocks = True
app.jinja_env.lstrip_blocks = True
app.jinja_env.filters['clock'] = board.clock


@app.get('/')
def home():
    return page(None)


@app.post('/update')
def update():
    given = request.get_json(silent=True) if request.is_json else request.form
    if not given:
        abort(415)
    request_id = given.get('id') or request.headers.get('X-Request-ID') or uuid.uuid4().hex
    text = str(given.get('text') or '').strip()
    if not SANE_ID.fullmatch(request_id) or text == '' or len(text) > MAX_TEXT:
        abort(400)
    team = team_of(given.get('team'))
    seq = database.add_cheer(request_id, text, team, RELEASE)
    if request.accept_mimetypes.best_match(['text/html', 'application/json']) == 'application/json':
        return {'seq': seq, 'id': request_id, 'release': RELEASE}, 201
    return page('Your cheer is on the board.')


def team_of(given):
    if given in (None, ''):
        return None
    for team in database.master().teams:
        if str(team.id) == str(given):
            return team.id
    abort(400)


def page(notice):
    master = database.master()
    times = database.times()
    cheers, by_team = database.latest()
    lines = board.standings(master, times)
    html = render_template(
        'board.jinja',
        release=RELEASE,
        progress=board.progress(master, lines),
        legs=master.legs,
        teams=master.teams,
        by_id={team.id: team for team in master.teams},
        standings=lines,
        cheers=cheers,
        by_team=by_team,
        total=sum(by_team.values()),
        notice=notice,
    )
    return Response(html, content_type='text/html; charset=utf-8', headers={'Cache-Control': 'no-store'})


@app.route('/echo', methods=['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
def echo_route():
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = request.query_string.decode('latin-1')
    text = echo(
        request.method, request.path, query, request.host, headers, request.cookies, request.get_data()
    )
    return Response(text, content_type='application/json', headers={'Cache-Control': 'no-store'})
