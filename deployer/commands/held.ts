import { Sessions } from '../core/sessions.ts';
import { requirePod } from '../core/observe.ts';
import { heldInstance, previewLink } from '../core/preview.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { change, open, type Globals } from '../run.ts';

/** `deploy admit`: goes on with a release that is held. */
export async function admit(globals: Globals): Promise<ExitCode> {
  return await change(globals, 'admit', async (observed) => {
    const held = heldInstance(observed);
    const { release, image } = held;
    return { command: 'admit', release, image, desired: { kind: 'admit', held } };
  });
}

/** `deploy abort`: removes a release that is held. */
export async function abort(globals: Globals): Promise<ExitCode> {
  return await change(globals, 'abort', async (observed) => {
    const held = heldInstance(observed);
    const { release, image } = held;
    return { command: 'abort', release, image, desired: { kind: 'abort', held } };
  });
}

/** `deploy preview`: opens the preview of the held release, again where it was restarted, and prints the way in. */
export async function preview(globals: Globals): Promise<ExitCode> {
  const { config, engine, observed } = await open(globals);
  const { url } = await requirePod(engine, config);
  const { id, name, release, image, held } = heldInstance(observed);
  const sessions = new Sessions(engine, config);
  try {
    const session = await sessions.with(id, name);
    await session.ask('preview', { token: held });
  } finally {
    await sessions.endAll();
  }
  const link = previewLink(url, held);
  if (globals.json) {
    globals.print(JSON.stringify({ v: 1, type: 'preview', release, image, link, token: held }));
    return EXIT.done;
  }
  globals.print(`release ${release} (${image}) is held; nobody sees it without this:`);
  globals.print(`  in a browser   ${link}   (ends with ${previewLink(url, 'off')})`);
  globals.print(`  elsewhere      curl -H 'X-Tasuki-Preview: ${held}' ${url.href}`);
  globals.print('next: deploy admit, or deploy abort');
  return EXIT.done;
}
