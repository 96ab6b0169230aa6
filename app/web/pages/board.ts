import type { Cheer, CheerCount } from '../../db/cheers.ts';
import type { Leg, Team } from '../../db/teams.ts';
import { clock, type Stage, type Standing } from '../board.ts';
import { html, Html } from '../html.ts';
import { layout } from './layout.ts';

export interface Board {
  release: string;
  legs: Leg[];
  teams: Team[];
  standings: Standing[];
  cheers: Cheer[];
  count: CheerCount;
  /** Says what has just happened, above the form. */
  notice?: string;
}

/** The page of `/`, whole without any script. */
export function boardPage(board: Board): Html {
  const { legs, standings, release } = board;
  return layout(
    'Ekiden race board',
    html`<header class="top">
        <p class="brand">tasuki</p>
        <h1>Ekiden race board</h1>
        <p class="lead">${progress(legs, standings)}</p>
      </header>
      <main>
        <section class="podium" aria-label="Leaders">${standings.slice(0, 3).map(leader)}</section>
        ${cheering(board)}
        <section aria-label="Standings">
          <h2>Standings</h2>
          <div class="scroll" tabindex="0">${table(board)}</div>
        </section>
      </main>
      <footer>
        Served by release <code>${release}</code>. Deploy the next one and reload: nothing breaks.
      </footer>`,
  );
}

function progress(legs: Leg[], standings: Standing[]): string {
  const [first] = standings;
  const leg = legs[first?.legs ?? 0];
  const km = (legs.reduce((sum, { metres }) => sum + metres, 0) / 1000).toFixed(1);
  const race = `${standings.length} teams, ${legs.length} legs, ${km} km.`;
  if (!first || first.legs === 0) return `${race} The race has not begun.`;
  return leg
    ? `${race} ${first.team.name} leads into leg ${leg.no}, ${leg.start} to ${leg.finish}.`
    : `${race} ${first.team.name} has won.`;
}

function leader({ rank, team, total, gap, legs, stages: { length: of } }: Standing): Html {
  return html`<article class="card">
    <p class="rank">${rank}</p>
    <h3>${sash(team.color)} ${team.name}</h3>
    <p>${team.area}</p>
    <p class="time">
      <b>${clock(total)}</b> ${gap > 0 ? html`<span>+${clock(gap)}</span>` : html`<span>leads</span>`}
    </p>
    <progress max="${of}" value="${legs}" aria-label="legs finished"></progress>
  </article>`;
}

function table({ legs, standings, count }: Board): Html {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">#</th>
        <th scope="col">Team</th>
        <th scope="col" class="n">Time</th>
        <th scope="col" class="n">Gap</th>
        ${legs.map(heading)}
        <th scope="col" class="n">Cheers</th>
      </tr>
    </thead>
    <tbody>
      ${standings.map((standing) => row(standing, count.byTeam.get(standing.team.id) ?? 0))}
    </tbody>
  </table>`;
}

function heading({ no, start, finish, metres }: Leg): Html {
  return html`<th scope="col" title="${start} to ${finish}">
    Leg ${no}<small>${(metres / 1000).toFixed(1)} km</small>
  </th>`;
}

function row({ rank, team, total, gap, stages }: Standing, cheers: number): Html {
  return html`<tr>
    <td class="n">${rank}</td>
    <th scope="row">${sash(team.color)} ${team.name}<small>${team.area}</small></th>
    <td class="n">${clock(total)}</td>
    <td class="n">${gap > 0 ? `+${clock(gap)}` : ''}</td>
    ${stages.map(stage)}
    <td class="n">${cheers}</td>
  </tr> `;
}

function stage({ runner, seconds, best }: Stage): Html {
  const time = seconds === null ? html`<i>running</i>` : html`<b>${clock(seconds)}</b>`;
  const name = runner ? html`${runner.name}<small>year ${runner.year}</small>` : html``;
  return best ? html`<td class="best">${time}${name}</td>` : html`<td>${time}${name}</td>`;
}

function cheering({ teams, cheers, count, notice }: Board): Html {
  const byId = new Map(teams.map((team) => [team.id, team]));
  return html`<section class="cheering" aria-label="Cheers">
    <h2>Cheers <output>${count.total}</output></h2>
    ${notice === undefined ? html`` : html`<p class="said" role="status">${notice}</p>`}
    <form method="post" action="/update">
      <label
        >Team
        <select name="team">
          <option value="">everyone</option>
          ${teams.map(({ id, name }) => html`<option value="${id}">${name}</option>`)}
        </select></label
      >
      <label
        >Cheer
        <input
          name="text"
          required
          maxlength="280"
          placeholder="Fight! Two more kilometres"
          autocomplete="off"
      /></label>
      <button>Cheer</button>
    </form>
    <ol>
      ${cheers.map((cheer) => line(cheer, byId.get(cheer.team_id ?? 0)))}
    </ol>
  </section>`;
}

function line({ text, release_id: release, at }: Cheer, team: Team | undefined): Html {
  const time = at.toISOString();
  return html`<li>
    <p>${text}</p>
    <small
      >${team ? html`${sash(team.color)} ${team.name}` : html`everyone`} ·
      <time datetime="${time}">${time.slice(11, 19)} UTC</time> · <code>${release ?? 'unknown'}</code></small
    >
  </li> `;
}

/** A team's colour, as an attribute of a picture: the page's policy allows no style but the stylesheet's. */
function sash(color: string): Html {
  return html`<svg class="sash" viewBox="0 0 12 12" aria-hidden="true">
    <path d="M0 8 8 0h4L0 12z" fill="${color}" />
  </svg>`;
}
