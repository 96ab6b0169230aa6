/** One numbered SQL file. */
export interface Migration {
  version: number;
  name: string;
  /** Of the file's text: one that has run must not change any more. */
  checksum: string;
  text: string;
  statements: string[];
}

/**
 * What the release in service could not live with: during a deploy both releases work on the new schema. Such a statement
 * belongs into a later migration, the contract phase, when no release needs the old shape any more.
 */
const DESTRUCTIVE: { pattern: RegExp; why: string }[] = [
  { pattern: /^drop\s+(table|view)\b/i, why: 'the release in service may still read it' },
  {
    pattern: /^alter\s+table\b[^]*\bdrop\s+(column\s+)?(?!index\b|key\b|constraint\b|check\b|foreign\b)/i,
    why: 'the release in service may still read the column',
  },
  {
    pattern: /^alter\s+table\b[^]*\b(rename|change)\b(?!\s+(index|key)\b)/i,
    why: 'the release in service uses the old name',
  },
  { pattern: /^rename\s+table\b/i, why: 'the release in service uses the old name' },
  { pattern: /^alter\s+table\b[^]*\bmodify\b/i, why: 'the release in service may write what no longer fits' },
  {
    pattern:
      /^alter\s+table\b[^]*\badd\s+(column\s+)?(?!index\b|key\b|unique\b|primary\b|constraint\b|fulltext\b|foreign\b)[^,]*\bnot\s+null\b(?![^,]*\b(default|auto_increment|generated)\b)/i,
    why: 'an INSERT of the release in service does not know the column: give it a DEFAULT',
  },
  {
    pattern: /^alter\s+table\b[^]*\badd\s+(constraint|unique|check|foreign)\b/i,
    why: 'the release in service may write what it forbids',
  },
  { pattern: /^truncate\b/i, why: 'it removes what the release in service shows' },
  { pattern: /^delete\b/i, why: 'it removes what the release in service shows' },
];

/** The mark, with a reason, by which the first line of a file says that nothing needs the old shape any more. */
const CONTRACT = /^-- contract: \S/;

/** Throws when a file would break the release in service and is not marked as the contract phase. */
export function checkMigration({
  name,
  text,
  statements,
}: Pick<Migration, 'name' | 'text' | 'statements'>): void {
  if (CONTRACT.test(text)) return;
  for (const [index, statement] of statements.entries()) {
    const broken = DESTRUCTIVE.find(({ pattern }) => pattern.test(statement));
    if (!broken) continue;
    const start = statement.replaceAll(/\s+/g, ' ').slice(0, 60);
    throw new Error(
      `migration ${name}, statement ${index + 1} ("${start}"): ${broken.why}; ` +
        'when no release needs it any more, put it into a file that begins with "-- contract: <reason>"',
    );
  }
}
