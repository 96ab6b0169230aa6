"""
The tables of the race, by the statements of app/db: teams, legs and runners are kept in the process, times and cheers
are read at each request. Each thread keeps one connection open: a pool without a queue in front of it.
"""

import os
import re
import threading
import time
from collections import namedtuple

import MySQLdb

# Attributes: Jinja finds them sooner than keys of a dictionary.
Master = namedtuple('Master', 'teams legs runners')
Team = namedtuple('Team', 'id name area color')
Leg = namedtuple('Leg', 'no start finish metres')
Runner = namedtuple('Runner', 'name year')

RECOUNT_SECONDS = 60
LATEST = 60

_local = threading.local()


def query(sql, values=()):
    """Rows of a SELECT as tuples."""
    cursor = _execute(sql, values)
    return cursor.fetchall()


def insert(sql, values):
    """The sequence number of the new row."""
    return _execute(sql, values).lastrowid


def _execute(sql, values):
    connection = getattr(_local, 'connection', None)
    if connection is None:
        connection = _local.connection = _connect()
    try:
        cursor = connection.cursor()
        cursor.execute(sql, values or None)
        return cursor
    except MySQLdb.OperationalError:
        _local.connection = None  # the next request opens another
        raise


def _connect():
    url = re.fullmatch(r'mysql://(\w+)@([\w.-]+)/(\w+)', os.environ['DATABASE_URL'])
    user, host, database = url.groups()
    with open(os.environ['DATABASE_PASSWORD_FILE'], encoding='utf8') as file:
        password = file.read().strip()
    return MySQLdb.connect(
        host=host, user=user, password=password, database=database, charset='utf8mb4', autocommit=True
    )


_master = None


def master():
    """Teams, legs and runners, read once."""
    global _master
    if _master is None:
        teams = query('SELECT id, name, area, color FROM teams ORDER BY id')
        legs = query('SELECT no, start, finish, metres FROM legs ORDER BY no')
        runners = query('SELECT team_id, leg, name, year FROM runners ORDER BY team_id, leg')
        _master = Master(
            teams=[Team(*row) for row in teams],
            legs=[Leg(*row) for row in legs],
            runners={(team, leg): Runner(name, year) for team, leg, name, year in runners},
        )
    return _master


def times():
    return query('SELECT team_id, leg, seconds FROM times')


def add_cheer(request_id, text, team, release):
    return insert(
        'INSERT INTO cheers (id, team_id, text, release_id, at) VALUES (%s, %s, %s, %s, UTC_TIMESTAMP(3))',
        (request_id, team, text, release),
    )


class Counts:
    """How many cheers there are, counted exactly once a minute; in between new rows are added, as app/db/cheers.ts does."""

    def __init__(self):
        self.lock = threading.Lock()
        self.taken_at = None
        self.newest = 0
        self.by_team = {}

    def recount(self):
        rows = query('SELECT team_id, COUNT(*) AS count, MAX(seq) AS newest FROM cheers GROUP BY team_id')
        self.by_team = {team or 0: count for team, count, _ in rows}
        self.newest = max((newest for _, _, newest in rows), default=0)
        self.taken_at = time.monotonic()

    def grow(self, newest_first):
        with self.lock:
            if self.taken_at is None or time.monotonic() - self.taken_at > RECOUNT_SECONDS:
                self.recount()
            fresh = [row for row in newest_first if row[0] > self.newest]
            if not fresh:
                return
            if len(fresh) < len(newest_first):
                rows = [(row[2], 1) for row in fresh]
            else:
                rows = query(
                    'SELECT team_id, COUNT(*) AS count FROM cheers WHERE seq > %s AND seq <= %s GROUP BY team_id',
                    (self.newest, fresh[0][0]),
                )
            for team, count in rows:
                self.by_team[team or 0] = self.by_team.get(team or 0, 0) + count
            self.newest = fresh[0][0]


_counts = Counts()


def latest():
    """The newest cheers, rows (seq, id, team, text, release, at), and their number by team."""
    rows = query(f'SELECT seq, id, team_id, text, release_id, at FROM cheers ORDER BY seq DESC LIMIT {LATEST}')
    _counts.grow(rows)
    return rows, _counts.by_team
