/**
 * Reads and derives apt's source lists. No host name is written anywhere in this project: what a machine downloads
 * from, a derived suite downloads from too. Pure functions.
 */

export interface AptSource {
  types: string[];
  uris: string[];
  suites: string[];
  components: string[];
  signedBy: string | null;
  trusted: boolean;
}

/** Entries of a deb822 file (`*.sources`). Disabled entries and those without binary packages are left out. */
export function parseDeb822(text: string): AptSource[] {
  return text
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter((fields) => fields.size > 0 && fields.get('enabled')?.toLowerCase() !== 'no')
    .map((fields) => {
      return {
        types: words(fields.get('types')),
        uris: words(fields.get('uris')),
        suites: words(fields.get('suites')),
        components: words(fields.get('components')),
        signedBy: fields.get('signed-by')?.trimEnd() ?? null,
        trusted: fields.get('trusted')?.trim().toLowerCase() === 'yes',
      };
    })
    .filter((source) => source.types.includes('deb') && source.uris.length > 0);
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#')) continue;
    const field = /^([A-Za-z-]+):[ \t]*(.*)$/.exec(line);
    if (field) {
      current = (field[1] ?? '').toLowerCase();
      fields.set(current, field[2] ?? '');
    } else if (/^[ \t]/.test(line) && current !== '') {
      fields.set(current, `${fields.get(current)}\n${line.trimEnd()}`); // an inline key keeps its lines
    }
  }
  return fields;
}

/** Entries of an old-style file (`sources.list`, `*.list`). */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const entry = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line);
    if (!entry) continue;
    const options = new Map(
      words(entry[1]).map((option) => option.split('=') as [string, string | undefined]),
    );
    sources.push({
      types: ['deb'],
      uris: [entry[2] ?? ''],
      suites: [entry[3] ?? ''],
      components: words(entry[4]),
      signedBy: options.get('signed-by') ?? null,
      trusted: options.get('trusted') === 'yes',
    });
  }
  return sources;
}

/**
 * The same sources for another suite: `bookworm-security` becomes `trixie-security`. Other vendors' entries and
 * backports are left out. Files that name the suite by its role (`stable`) are understood.
 */
export function deriveSources(sources: readonly AptSource[], codename: string, suite: string): AptSource[] {
  return sources
    .map((source) => ({ ...source, types: ['deb'], suites: renameSuites(source.suites, codename, suite) }))
    .filter((source) => source.suites.length > 0);
}

function renameSuites(suites: readonly string[], codename: string, suite: string): string[] {
  const renamed = suites.flatMap((name) => {
    const [base, pocket] = splitSuite(name);
    if (![codename, 'stable', 'oldstable', 'testing'].includes(base)) return [];
    if (pocket === '') return [suite];
    return pocket === 'updates' || pocket === 'security' ? [`${suite}-${pocket}`] : [];
  });
  return [...new Set(renamed)];
}

function splitSuite(name: string): [string, string] {
  const dash = name.indexOf('-');
  return dash === -1 ? [name, ''] : [name.slice(0, dash), name.slice(dash + 1)];
}

/** The entry that serves the distribution itself: the suite proper, with its main component. */
export function mainSource(sources: readonly AptSource[], codename: string): AptSource | null {
  const derived = deriveSources(sources, codename, codename);
  return (
    derived.find((source) => source.suites.includes(codename) && source.components.includes('main')) ?? null
  );
}

/** Text of a deb822 file. */
export function formatDeb822(sources: readonly AptSource[]): string {
  const stanzas = sources.map((source) =>
    [
      `Types: ${source.types.join(' ')}`,
      `URIs: ${source.uris.join(' ')}`,
      `Suites: ${source.suites.join(' ')}`,
      `Components: ${source.components.join(' ')}`,
      ...(source.signedBy === null
        ? []
        : [`Signed-By:${/^\s/.test(source.signedBy) ? '' : ' '}${source.signedBy}`]),
      ...(source.trusted ? ['Trusted: yes'] : []),
    ].join('\n'),
  );
  return `${stanzas.join('\n\n')}\n`;
}

/** apt preferences that let only the named packages come from a suite; everything else stays as it is. */
export function formatPreferences(suite: string, packages: readonly string[]): string {
  const pin = (names: string, priority: number): string =>
    `Package: ${names}\nPin: release n=${suite}*\nPin-Priority: ${priority}\n`;
  return `${pin('*', -1)}\n${pin(packages.join(' '), 990)}`;
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
