/** A port of a service as its file has it; variables stay as they are written. */
export interface Port {
  /** In the container. */
  target: string;
  protocol: string;
  /** On the machine; empty: one that the engine chooses. */
  published: string;
  /** The address on the machine; empty: all. */
  host: string;
}

/** Reads `ports:` in the short and the long syntax; null for an entry that is none, or a range. */
export function readPort(entry: unknown): Port | null {
  if (typeof entry === 'number' || typeof entry === 'string') return readShort(String(entry));
  if (typeof entry !== 'object' || entry === null) return null;
  const { target, published, host_ip: host, protocol } = entry as Record<string, unknown>;
  const text = (value: unknown): string =>
    typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  return checked({
    target: text(target),
    published: text(published),
    host: text(host),
    protocol: text(protocol) || 'tcp',
  });
}

function readShort(entry: string): Port | null {
  const [, all = '', protocol = 'tcp'] = /^(.*?)(?:\/(tcp|udp|sctp))?$/.exec(entry) ?? [];
  // A colon in ${NAME:-80} or in [::1] parts nothing.
  const parts = all.match(/(?:\$\{[^}]*\}|\[[^\]]*\]|[^:])+/g) ?? [];
  const [target = '', published = '', host = ''] = parts.toReversed();
  return parts.length > 3 ? null : checked({ target, published, host, protocol });
}

function checked(port: Port): Port | null {
  const isOne = (text: string): boolean => /^(\d+|\$\{[^}]+\}|\$\w+)$/.test(text);
  return isOne(port.target) && (port.published === '' || isOne(port.published)) ? port : null;
}

/** `host:published:80` for the same place on the machine. */
export function takenOver({ host, published }: Port, target: number): string {
  return `${host && `${host}:`}${published}:${target}`;
}
