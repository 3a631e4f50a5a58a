import { toCloudEventJson } from '../../events/envelope.ts';
import type { Follower } from '../../events/followers.ts';
import { refuse } from '../../oci/errors.ts';
import type { Identity } from '../../ports/identity.ts';
import { type EventFilter, maySee, wants } from './event-access.ts';
import type { Call } from './route.ts';
import { within, writeOut } from './write-out.ts';

/** Milliseconds. */
export interface StreamTimes {
  /** From one sign of life to the next, where nothing happens. */
  readonly heartbeat: number;
  /** From one look at the credentials to the next. */
  readonly recheck: number;
  /** How long a client may take nothing before it is cut. */
  readonly patience: number;
  /** What the client waits before it connects again. */
  readonly retry: number;
}

export const usualStreamTimes: StreamTimes = {
  heartbeat: 15_000,
  recheck: 2_000,
  patience: 30_000,
  retry: 3_000,
};

const page = 100;

/**
 * Sends events as they are published (Server-sent events, HTML standard 9.2). The client paces it: a page
 * is read when the one before has gone out, so nothing piles up for a slow one; one that takes nothing at
 * all is cut, and goes on from its last id. Ends with the credentials, and when the server drains.
 */
export async function streamEvents(
  call: Call,
  options: { filter: EventFilter; after: number | undefined; times: StreamTimes },
): Promise<void> {
  const { services, res } = call;
  const { filter, times } = options;
  const log = services.events;
  const follower = services.followers.begin(call.identity.id);
  const { signal } = follower;
  res.once('close', follower.end);
  const who = keepIdentity(call, follower, times.recheck);
  try {
    const { first, last } = await log.positions();
    let position = Math.min(options.after ?? last, last);
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // nginx collects answers otherwise.
      'X-Accel-Buffering': 'no',
    });
    await writeOut(res, `retry: ${times.retry}\n: following\n\n`, times.patience, signal);
    const gap = gapOf(options.after, first, last);
    if (gap) {
      await writeOut(res, `event: gap\ndata: ${JSON.stringify(gap)}\n\n`, times.patience, signal);
    }
    while (!signal.aborted) {
      const rows = await log.read(position, page);
      let text = '';
      for (const row of rows) {
        if (!wants(filter, row) || !maySee(who.identity, row)) continue;
        text += `id: ${row.position}\ndata: ${toCloudEventJson(row)}\n\n`;
      }
      position = rows.at(-1)?.position ?? position;
      if (text === '' && rows.length === 0) {
        const moved = await within(log.changed(position), times.heartbeat, signal);
        // An id without data is no event, but where a client would go on.
        if (!moved) text = `: alive\nid: ${position}\n\n`;
      }
      if (text !== '') await writeOut(res, text, times.patience, signal);
    }
  } finally {
    who.stop();
    follower.end();
    // What the client has not taken by now it reads again from its last id.
    if (res.writableNeedDrain) res.destroy();
    else res.end();
  }
}

/** What a client that goes on from `after` has missed: what is no longer kept. */
function gapOf(after: number | undefined, first: number, last: number) {
  if (after === undefined) return undefined;
  const oldest = first === 0 ? last + 1 : first;
  if (after > last) return { after: String(after), next: String(last + 1) };
  return after + 1 < oldest ? { after: String(after), next: String(oldest) } : undefined;
}

/** Asks again and again who calls, and ends the stream where the answer is no longer the same. */
export function keepIdentity(
  { req, identity, services }: Call,
  follower: Follower,
  everyMs: number,
) {
  const kept: { identity: Identity; stop: () => void } = { identity, stop: () => {} };
  let asking = false;
  const timer = setInterval(async () => {
    if (asking) return;
    asking = true;
    try {
      const now = await services.principals.identify(req);
      if (now.id !== identity.id) throw refuse('unauthorized', 'Somebody else.');
      kept.identity = now;
    } catch {
      // Also where it cannot be asked: what is not known to stand is not served.
      follower.end();
    }
    asking = false;
  }, everyMs);
  kept.stop = () => clearInterval(timer);
  return kept;
}
