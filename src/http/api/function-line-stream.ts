import { mayAct } from '../../auth/authorizer.ts';
import type { FunctionLogLine } from '../../ports/commands-functions.ts';
import { firstIdAt } from '../../ports/function-records.ts';
import { keepIdentity, type StreamTimes } from './event-stream.ts';
import type { Call } from './route.ts';
import { isWithin, narrowest, scopeOf } from './routes/functions/scope.ts';
import { within, writeOut } from './write-out.ts';

const page = 200;

/**
 * Sends lines as they are written (Server-sent events). As with events, the client paces it: lines are read
 * from the store when the ones before have gone out, so nothing piles up for a slow one, and it goes on from
 * its last id, whatever came between. Ends with the credentials, and when the server drains.
 */
export async function streamLines(
  call: Call,
  options: {
    after: string | undefined;
    /** So many of the last lines come first. */
    tail: number;
    times: StreamTimes;
    view: (line: FunctionLogLine) => object;
  },
): Promise<void> {
  const { services, res, project, query } = call;
  const { times, view } = options;
  const { functionRecords } = services.metadata;
  const scope = scopeOf(call);
  const request = query.request as string | undefined;
  const place = { teamId: call.team.id, projectId: project.id, visibility: 'private' } as const;
  const wanted = (line: FunctionLogLine) =>
    isWithin(scope, line) && (request === undefined || line.requestIds.includes(request));
  const follower = services.followers.begin(call.identity.id);
  const { signal } = follower;
  res.once('close', follower.end);
  const who = keepIdentity(call, follower, times.recheck);
  try {
    let position = options.after ?? firstIdAt('log', services.clock.now());
    res.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'X-Accel-Buffering': 'no',
    });
    await writeOut(res, `retry: ${times.retry}\n: following\n\n`, times.patience, signal);
    if (options.after === undefined && options.tail > 0) {
      const last = await functionRecords.lines(
        { ...scope, requestId: request },
        ...([{ before: undefined }, options.tail] as const),
      );
      position = last[0]?.id ?? position;
      const text = last
        .reverse()
        .map((line) => messageOf(line, view))
        .join('');
      if (text !== '') await writeOut(res, text, times.patience, signal);
    }
    while (!signal.aborted && mayAct(who.identity, place, 'functions')) {
      const changed = services.records?.nextLines(project.id) ?? new Promise<void>(() => {});
      const lines = await functionRecords.lines(narrowest(scope), { after: position }, page);
      let text = '';
      for (const line of lines) if (wanted(line)) text += messageOf(line, view);
      position = lines.at(-1)?.id ?? position;
      if (lines.length === 0 && !(await within(changed, times.heartbeat, signal))) {
        // An id without data is no message, but where a client would go on.
        text = `: alive\nid: ${position}\n\n`;
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

function messageOf(line: FunctionLogLine, view: (line: FunctionLogLine) => object): string {
  return `id: ${line.id}\ndata: ${JSON.stringify(view(line))}\n\n`;
}
