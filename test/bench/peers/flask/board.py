"""The order of the race: more legs first, then less time. The same as app/web/board.ts."""

from collections import namedtuple

INFINITY = float('inf')

Standing = namedtuple('Standing', 'rank team legs total gap stages')


def standings(master, times):
    """One for each team, the leader first; a stage is (runner, seconds, best). `times` has rows (team, leg, seconds)."""
    taken = {(team, leg): seconds for team, leg, seconds in times}
    best = {}
    for _, leg, seconds in times:
        if seconds < best.get(leg, INFINITY):
            best[leg] = seconds

    lines = [line(team, master, taken, best) for team in master.teams]
    leader_at = [
        min((splits[n] for _, _, splits in lines if n < len(splits)), default=INFINITY)
        for n in range(len(master.legs))
    ]
    lines.sort(key=lambda one: (-len(one[2]), one[2][-1] if one[2] else 0, one[0].id))
    return [
        Standing(
            rank=index + 1,
            team=team,
            legs=len(splits),
            total=splits[-1] if splits else 0,
            gap=splits[-1] - leader_at[len(splits) - 1] if splits else 0,
            stages=stages,
        )
        for index, (team, stages, splits) in enumerate(lines)
    ]


def line(team, master, taken, best):
    """The team, its stages, and its time at the end of each leg in turn until one is not finished."""
    stages = []
    splits = []
    total = 0
    running = False
    for leg in master.legs:
        place = (team.id, leg.no)
        seconds = taken.get(place)
        stages.append((master.runners.get(place), seconds, seconds is not None and seconds == best.get(leg.no)))
        running = running or seconds is None
        if not running:
            total += seconds
            splits.append(total)
    return team, stages, splits


def clock(seconds):
    """3:41:07, or 41:07 below an hour."""
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return f'{h}:{m:02}:{s:02}' if h > 0 else f'{m}:{s:02}'


def progress(master, lines):
    legs = master.legs
    first = lines[0] if lines else None
    km = sum(leg.metres for leg in legs) / 1000
    race = f'{len(lines)} teams, {len(legs)} legs, {km:.1f} km.'
    if first is None or first.legs == 0:
        return f'{race} The race has not begun.'
    if first.legs == len(legs):
        return f'{race} {first.team.name} has won.'
    leg = legs[first.legs]
    return f'{race} {first.team.name} leads into leg {leg.no}, {leg.start} to {leg.finish}.'
