/**
 * The commands of a Procfile by the name of their process. As published: lines of `<name>: <command>`, the name of letters, digits,
 * `-` and `_`. Throws on any other line.
 */
export function parseProcfile(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return Object.fromEntries(
    lines.map((line) => {
      const [, name, command] = /^([A-Za-z0-9_-]+):\s*(.+?)\s*$/.exec(line) ?? [];
      if (!name || !command) throw new Error(`Procfile: not a process: ${line}`);
      return [name, command];
    }),
  );
}
