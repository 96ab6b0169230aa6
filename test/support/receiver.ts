import http from 'node:http';
import type { AddressInfo } from 'node:net';

type Value = string | number | boolean;

/** A span as it was sent, its attributes and those of its resource as plain objects. */
export interface Received {
  name: string;
  /** 1 internal, 2 server, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  /** Milliseconds since 1970. */
  start: number;
  end: number;
  /** 0 unset, 2 error. */
  status: number;
  attributes: Record<string, Value>;
  resource: Record<string, Value>;
}

interface Sent {
  resourceSpans: {
    resource: { attributes: Pair[] };
    scopeSpans: { spans: (Omit<Received, 'attributes' | 'resource' | 'status'> & SentSpan)[] }[];
  }[];
}
interface SentSpan {
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes: Pair[];
}
interface Pair {
  key: string;
  value: Record<string, Value>;
}

/** Takes traces by OTLP over HTTP, in JSON, as a collector does; `hangs`: it takes connections and never answers. */
export class Receiver implements AsyncDisposable {
  readonly spans: Received[] = [];
  readonly paths: (string | undefined)[] = [];
  requests = 0;
  hangs = false;
  readonly #server = http.createServer((req, res) => {
    this.requests += 1;
    this.paths.push(req.url);
    if (this.hangs) return;
    let text = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    req.on('end', () => {
      this.spans.push(...spansOf(JSON.parse(text) as Sent));
      res.setHeader('Content-Type', 'application/json');
      res.end('{}');
    });
  });

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function spansOf({ resourceSpans }: Sent): Received[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        start: Number(BigInt(span.startTimeUnixNano)) / 1e6,
        end: Number(BigInt(span.endTimeUnixNano)) / 1e6,
        status: span.status?.code ?? 0,
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
      })),
    ),
  );
}

function plain(pairs: Pair[]): Record<string, Value> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const [[type, given] = ['', '']] = Object.entries(value);
      return [key, type === 'intValue' ? Number(given) : given];
    }),
  );
}
