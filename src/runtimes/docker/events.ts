import type { RuntimeEvent } from '../../ports/runtime-driver.ts';
import { jsonLines } from './demux.ts';
import type { Engine } from './engine.ts';
import { label } from './labels.ts';
import { refused } from './refusals.ts';

/** What is read of an entry of `GET /events`. */
interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly ID: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
}

const types: Readonly<Record<string, RuntimeEvent['type']>> = {
  start: 'started',
  die: 'ended',
  oom: 'out-of-memory',
  destroy: 'removed',
};

/** Ends where the engine does, or the connection; rejects with `unavailable` where it cannot begin. */
export async function* readEvents(
  engine: Engine,
  installation: string,
  signal: AbortSignal,
): AsyncGenerator<RuntimeEvent> {
  if (signal.aborted) return;
  const filters = JSON.stringify({
    type: ['container'],
    event: Object.keys(types),
    label: [`${label.installation}=${installation}`],
  });
  const stream = await engine
    .stream({ method: 'GET', path: '/events', query: { filters }, signal })
    .catch((error) => {
      if (signal.aborted) return undefined;
      throw refused(error, {});
    });
  if (!stream) return;
  /** Whose memory ran out: told before their end. */
  const outOfMemory = new Set<string>();
  try {
    for await (const event of jsonLines<EngineEvent>(stream)) {
      const found = eventOf(event, outOfMemory);
      if (found) yield found;
    }
  } catch {
    // The engine went away, or `signal` ended it: the caller connects again as it likes.
  } finally {
    stream.destroy();
  }
}

function eventOf(event: EngineEvent, outOfMemory: Set<string>): RuntimeEvent | undefined {
  const type = types[event.Action ?? ''];
  const attributes = event.Actor?.Attributes ?? {};
  const instanceId = attributes[label.instance];
  if (!type || !event.Actor || !instanceId) return undefined;
  const id = event.Actor.ID;
  const at = Math.floor((event.timeNano ?? 0) / 1e6);
  if (type === 'out-of-memory') outOfMemory.add(id);
  if (type !== 'ended') return { type, id, instanceId, at };
  const exit = { code: Number(attributes.exitCode) || 0, outOfMemory: outOfMemory.delete(id) };
  return { type, id, instanceId, at, exit };
}
