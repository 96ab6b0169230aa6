import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describePrune } from '../../deployer/commands/prune.ts';
import { planTidy } from '../../deployer/core/tidy.ts';
import type { Config } from '../../deployer/config.ts';
import { describePruned, pruneAfter, removeImages } from '../../deployer/core/prune-images.ts';
import { deploySchema } from '../../deployer/schema.ts';
import type { DeployEvent } from '../../deployer/events.ts';
import { describeImage, lastImages, oldImages, repositoryOf } from '../../deployer/core/prune.ts';
import type { Engine } from '../../deployer/engine/docker.ts';
import type { Instance } from '../../deployer/engine/instance.ts';
import { removeImage, type HeldImage } from '../../deployer/engine/images.ts';
import type { HistoryEntry } from '../../deployer/store/history.ts';
import { observed } from '../support/plans.ts';

const unknown = { from: null, fromImage: null, fromImageId: null, digest: null, revision: null };

/** A deploy of image `id`, called `app:id` unless said otherwise. */
function deployed(id: string, more: Partial<HistoryEntry> = {}): HistoryEntry {
  return {
    version: 1,
    at: '',
    command: 'deploy',
    release: `r-${id}`,
    image: `app:${id}`,
    imageId: id,
    by: '',
    ...unknown,
    outcome: 'done',
    ms: 0,
    servingMs: 0,
    steps: [],
    probe: null,
    error: null,
    report: null,
    ...more,
  };
}
const held = (id: string, ...tags: string[]): HeldImage => ({ id, tags: tags.length ? tags : [`app:${id}`] });
const failed = { outcome: 'failed' } as const;

interface State {
  history: HistoryEntry[];
  images: HeldImage[];
  wanted?: string[];
}

/** Ids of the images that may go. */
function goes({ history, images, wanted = [] }: State, keep: number): string[] {
  return oldImages({ history, images, wanted: new Set(wanted), repository: 'app' }, keep).map(({ id }) => id);
}

const history = ['a', 'b', 'c', 'd'].map((id) => deployed(id));
const images = ['a', 'b', 'c', 'd'].map((id) => held(id));

describe('of the images of old releases', () => {
  const cases: [string, State, number, string[]][] = [
    ['those before the last N go, the oldest first', { history, images }, 2, ['a', 'b']],
    ['(control) none goes while there are no more than N', { history, images }, 4, []],
    ['all may go with N = 0', { history, images }, 0, ['a', 'b', 'c', 'd']],
    ['one that is in use stays', { history, images, wanted: ['a', 'd'] }, 1, ['b', 'c']],
    ['one that is gone already is not asked for', { history, images: images.slice(1) }, 2, ['b']],
    [
      'one that was deployed again lately counts as new, and once',
      { history: [...history, deployed('a'), deployed('a')], images },
      2,
      ['b', 'c'],
    ],
    ['one without any tag goes', { history, images: [{ id: 'a', tags: [] }] }, 2, ['a']],
    [
      'one with a tag that no deploy gave it stays',
      { history, images: [held('a', 'app:a', 'app:mine')] },
      2,
      [],
    ],
    [
      'one that went by two tags goes with both',
      { history: [deployed('a', { image: 'app' }), ...history], images: [held('a', 'app:latest', 'app:a')] },
      2,
      ['a'],
    ],
    [
      'one that was pulled by its digest goes',
      {
        history: [deployed('a', { image: `app@sha256:${'0'.repeat(64)}` }), ...history.slice(1)],
        images: [{ id: 'a', tags: [] }],
      },
      2,
      ['a'],
    ],
    ['a foreign one that has our tag now stays', { history, images: [held('x', 'app:a')] }, 0, []],
    [
      'one that was there before the first deploy is known as that deploy found it',
      {
        history: [
          deployed('b', { from: 'initial', fromImage: 'app:a', fromImageId: 'a' }),
          ...history.slice(2),
        ],
        images,
      },
      3,
      ['a'],
    ],
    [
      'one of which an earlier version has not noted the id stays',
      {
        history: [deployed('b', { from: 'initial', fromImage: 'app:a' }), ...history.slice(2)],
        images,
      },
      3,
      [],
    ],
    [
      'one that failed goes when N others have served since',
      {
        history: [deployed('a', failed), ...history.slice(1)],
        images,
      },
      2,
      ['a', 'b'],
    ],
    [
      'one that failed just now stays, and takes no place',
      {
        history: [...history.slice(0, 3), deployed('d', failed)],
        images,
      },
      2,
      ['a'],
    ],
    [
      'one that failed and is none of this service is not ours',
      {
        history: [deployed('a', { ...failed, image: 'mysql:9' }), ...history.slice(1)],
        images: [held('a', 'mysql:9')],
      },
      1,
      [],
    ],
  ];
  for (const [what, state, keep, expected] of cases) {
    it(what, () => assert.deepEqual(goes(state, keep), expected));
  }

  it('the last N are counted by image, not by deploy', () => {
    const again = [...history, deployed('d'), deployed('d')];
    assert.deepEqual([...lastImages(again, 2)].toSorted(), ['c', 'd']);
    assert.deepEqual([...lastImages(history, 0)], []);
  });

  it('the repository ends at the tag, not at the port of a registry', () => {
    const names = ['app', 'app:v1', 'host:5000/app', 'host:5000/app:v1', `app:v1@sha256:${'0'.repeat(64)}`];
    assert.deepEqual(names.map(repositoryOf), ['app', 'app', 'host:5000/app', 'host:5000/app', 'app']);
  });
});

describe('what a prune says', () => {
  const image = { ...held('sha256:0123456789abcdef'), tags: [], releases: ['r1', 'r2'] };
  const named = { ...held('b'), releases: ['r3'] };

  it('names each image with its releases, or by its id when it has no tag', () => {
    assert.equal(describeImage(named), 'app:b (r3)');
    assert.equal(describeImage(image), '0123456789ab (r1, r2)');
  });

  it('before: containers that neither serve nor are parked, then images', () => {
    const common = {
      image: 'app:r',
      imageId: '',
      status: 'running',
      exitCode: 0,
      createdAt: '',
      stopTimeout: 10,
      held: null,
      keepUntil: null,
    };
    const instance = (name: string, release: string, visible = true): Instance => ({
      ...common,
      id: name,
      name,
      release,
      visible,
      running: true,
    });
    const instances = [instance('app-1', 'r1'), instance('app-2', 'r2'), instance('parked-r0', 'r0', false)];
    const tidy = planTidy(observed('r1', ['r0'], instances), 1);
    assert.equal(describePrune(tidy, [named]), '  retire app-2\n  remove image app:b (r3)');
    assert.equal(describePrune([], []), 'nothing to remove');
    assert.deepEqual(planTidy(observed(null, [], instances), 1), []);
  });

  it('after: what went, what that gave back, and what stayed', () => {
    assert.equal(
      describePruned({ removed: [named], left: [image], freed: 40 * 1024 ** 2 }),
      'app:b (r3); 40 MiB of layers freed; in use since, so left: 0123456789ab (r1, r2)',
    );
    assert.equal(describePruned({ removed: [], left: [], freed: null }), 'none');
  });
});

describe('an image that is removed', () => {
  /** An engine with tags on ids; `refuse` is the status of its answer to a removal by id. */
  function engineWith(tags: Record<string, string>, refuse?: number) {
    const did: string[] = [];
    const getImage = (name: string) => ({
      inspect: async () => {
        if (tags[name]) return { Id: tags[name] };
        throw Object.assign(new Error('no such image'), { statusCode: 404 });
      },
      remove: async (options: { force?: boolean; noprune?: boolean }) => {
        assert.deepEqual(options, { noprune: true }, 'never by force');
        if (refuse && !tags[name]) throw Object.assign(new Error('refused'), { statusCode: refuse });
        did.push(name);
      },
    });
    return { did, engine: { docker: { getImage } } as unknown as Engine };
  }

  it('loses all tags but one by name and goes by its id', async () => {
    const { did, engine } = engineWith({ 'app:1': 'a', 'app:2': 'a', 'app:3': 'a' });
    assert.equal(await removeImage(engine, held('a', 'app:1', 'app:2', 'app:3')), true);
    assert.deepEqual(did, ['app:2', 'app:3', 'a']);
  });

  it('takes no tag along that points elsewhere by now', async () => {
    const { did, engine } = engineWith({ 'app:1': 'x', 'app:2': 'x' });
    assert.equal(await removeImage(engine, held('a', 'app:1', 'app:2')), true);
    assert.deepEqual(did, ['a']);
  });

  it('stays when the engine says that it is in use, and is no error when it is gone', async () => {
    assert.equal(await removeImage(engineWith({}, 409).engine, held('a')), false);
    assert.equal(await removeImage(engineWith({}, 404).engine, held('a')), true);
    await assert.rejects(removeImage(engineWith({}, 500).engine, held('a')), /refused/);
  });
});

describe('the prune that ends a deploy', () => {
  const broken = { docker: { listImages: async () => Promise.reject(new Error('the engine is gone')) } };
  const end = async (prune: boolean): Promise<DeployEvent[]> => {
    const events: DeployEvent[] = [];
    const where = {
      engine: broken as unknown as Engine,
      config: { settings: deploySchema.parse({ prune }) } as Config,
      folder: '/not/here',
    };
    await pruneAfter(where, (event) => events.push(event), new AbortController().signal);
    return events;
  };

  it('only warns when it cannot be done, with what to type', async () => {
    const [event, ...more] = await end(true);
    assert.deepEqual(more, []);
    assert.ok(event?.type === 'notice' && event.level === 'warn');
    assert.equal(event.text, 'old images are not removed: the engine is gone; next: deploy prune');
  });

  it('does not even look where x-deploy.prune is false', async () => assert.deepEqual(await end(false), []));

  it('stops between two images on Ctrl-C', async () => {
    const interrupt = new AbortController();
    const gone: string[] = [];
    const getImage = (name: string) => ({ remove: async () => (gone.push(name), interrupt.abort()) });
    const modem = { dial: (_: unknown, done: (error: Error) => void) => done(new Error('not told')) };
    const engine = { docker: { getImage, modem } } as unknown as Engine;
    const old = ['a', 'b'].map((id) => ({ ...held(id), releases: ['r'] }));
    const { removed, freed } = await removeImages(engine, old, () => {}, interrupt.signal);
    assert.deepEqual([gone, removed.map(({ id }) => id), freed], [['a'], ['a'], null]);
  });
});
