import type { State } from './protocol.ts';
import type { Supervisor } from './supervisor.ts';

/** What an instance is and does, with what its supervisor alone knows. */
export async function stateOf(
  { children, doors, manners, place }: Supervisor,
  own: Pick<State, 'release' | 'phase' | 'onLoan' | 'record' | 'drain' | 'problem'>,
): Promise<State> {
  return {
    protocol: 1,
    ...own,
    listen: place.address,
    uid: process.getuid?.() ?? -1,
    children: await children.states(),
    restarts: children.restarts,
    preview: doors.isPreviewed,
    paused: manners.current.hold > 0,
  };
}
