import type { Answered } from './ask.ts';
import type { Rule } from './callers.ts';
import type { Place, World } from './world.ts';

/** What a request needs beside its place. */
export interface Sample {
  /** Path parameters that are not team, project or repository. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON; a string or bytes as they are, with the `content-type` of `headers`. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Who may call one operation of the API, and a request that succeeds for them. */
export interface Row extends Rule {
  /**
   * A valid request at `place`; makes what it names. Called once for all who are refused, and anew for
   * each who passes, so that it may destroy.
   */
  readonly sample?: (place: Place, make: Make) => Promise<Sample> | Sample;
  /** Of who passes; any 2xx unless given. */
  readonly answers?: number;
  /** The answer has no end. */
  readonly stream?: boolean;
  /** Parameters that name what the request itself makes: an unknown one is none that is missing. */
  readonly makes?: readonly string[];
  /**
   * Bodies that name things of `other`, which is not the place of the request: refused as if those things
   * did not exist.
   */
  readonly bodies?: (other: Place, make: Make) => Promise<readonly unknown[]> | readonly unknown[];
  /** What is public of a project is for everybody: where there is something, as at the place `open`. */
  readonly publicParts?: true;
  /** Callers with another status than the rule has, and why. */
  readonly exceptions?: Readonly<Record<string, readonly [status: number, why: string]>>;
}

/** Sends a request as an owner of that place's team; throws unless it succeeds. Gives the JSON. */
export type Make = (
  place: Place,
  method: string,
  path: string,
  body?: unknown,
) => Promise<Record<string, unknown>>;

/** By operationId; `operationId#variant` is another request of the same operation. */
export type Rows = Readonly<Record<string, Row>>;

export function maker({ asker }: World): Make {
  return async (place, method, path, body) => {
    const answer = await asker.ask({
      ...{ method, target: `/api/v1${path}` },
      headers: {
        authorization: place.owner,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body === '' ? {} : (JSON.parse(answer.body) as Record<string, unknown>);
  };
}

let made = 0;
/** A name that nothing else has. */
export const unique = (prefix: string): string => `${prefix}-${++made}`;

/** The same kind of value, of nothing that exists. */
export function absentLike(value: string): string {
  const id = /^([a-z]+)_[0-9a-f]{32}$/.exec(value);
  if (id) return `${id[1]}_${String(++made).padStart(32, '0')}`;
  if (/^sha256:[0-9a-f]{64}$/.test(value)) return `sha256:${String(++made).padStart(64, '0')}`;
  if (value.endsWith('.example.com')) return `${unique('absent')}.example.com`;
  return /^[A-Z0-9_]+$/.test(value) ? `ABSENT_${++made}` : unique('absent');
}

/** An answer without what differs each time, and without the names that were asked for. */
export function essence(answer: Answered, names: readonly string[]): string {
  const hidden = new Set(['date', 'x-request-id', 'connection', 'keep-alive', 'content-length']);
  const headers = Object.entries(answer.headers)
    .filter(([name]) => !hidden.has(name) && !name.startsWith('ratelimit'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  let text = JSON.stringify({ status: answer.status, headers, body: answer.body });
  for (const name of names) {
    const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    text = text.replace(new RegExp(`(?<![\\w-])${quoted}(?![\\w-])`, 'g'), '<name>');
  }
  return text;
}
