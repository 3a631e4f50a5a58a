import { setTimeout as delay } from 'node:timers/promises';
import type { Outcome } from '../../bench.ts';
import type { Figure } from '../../report.ts';
import { median } from '../../rounds.ts';
import {
  type Asking,
  type FunctionsRow,
  percentile,
  type RepositoryName,
  type Rig,
  until,
} from '../rig.ts';

/** The kernel takes down the networks of what ended for a while, which slows whoever starts something then. */
const restMs = 1_000;

/** The engine: create, start, and connect until the first byte; then pause and the same again. */
export interface AloneStart {
  readonly createMs: number;
  readonly startMs: number;
  readonly connectMs: number;
  readonly thawMs: number;
}

export async function startAlone(rig: Rig, name: RepositoryName): Promise<AloneStart> {
  const { engine } = rig;
  const begun = performance.now();
  const id = await engine.create(rig.reference(name));
  try {
    const created = performance.now();
    await engine.start(id);
    const started = performance.now();
    const { ms } = await engine.connect(id);
    await engine.pause(id);
    const frozen = performance.now();
    await engine.unpause(id);
    await engine.connect(id);
    return {
      createMs: created - begun,
      startMs: started - created,
      connectMs: ms,
      thawMs: performance.now() - frozen,
    };
  } finally {
    await engine.remove(id);
  }
}

/** Containers of the service, by state: `running`, `frozen`, `created`, `exited` … */
async function statesOf(rig: Rig, service: string): Promise<readonly string[]> {
  const containers = await rig.engine.containers();
  return containers
    .filter(({ labels }) => labels['gantry.service'] === service)
    .map(({ state }) => state);
}

/** What a cold answer began from, by the stages that its Server-Timing tells; undefined where it was warm. */
export function startedFrom(answer: Asking): 'pull' | 'nothing' | 'created' | undefined {
  const text = String(answer.headers['server-timing'] ?? '');
  if (text === '') return undefined;
  const stage = (name: string) => Number(new RegExp(`${name};dur=([\\d.]+)`).exec(text)?.[1] ?? 0);
  if (stage('pull') > 0) return 'pull';
  return stage('create') > 0 ? 'nothing' : 'created';
}

async function fine(rig: Rig, host: string): Promise<Asking> {
  const answer = await rig.ask(rig.order.origin, '/', { host });
  if (answer.status !== 200) throw new Error(`${host}: ${answer.status} ${answer.body}`);
  return answer;
}

async function stopped(rig: Rig, service: string): Promise<void> {
  await until(async () => {
    const states = await statesOf(rig, service);
    return states.some((state) => state === 'running' || state === 'frozen') ? undefined : true;
  }, `${service} has no instance`);
}

const figure = (
  what: string,
  gantry: readonly number[],
  peer: readonly number[],
  goal?: Figure['goal'],
): Figure => ({
  what,
  unit: 'ms',
  gantry: gantry.length > 0 ? median(gantry) : undefined,
  peer: peer.length > 0 ? median(peer) : undefined,
  ...(goal ? { goal } : {}),
});

const coldRow: FunctionsRow = {
  name: 'cold',
  title: 'First byte of a function without an instance, its image local',
  async run(rig): Promise<Outcome> {
    const alone: AloneStart[] = [];
    const gantry = new Map<string, number[]>();
    const stages: string[] = [];
    const host = rig.order.hosts.cold;
    await fine(rig, host);
    const askGantry = async (at: number) => {
      await stopped(rig, 'cold');
      // Every second one has to be made from nothing: what was created ahead is taken away.
      if (at % 2 === 0) await removeCreated(rig, 'cold');
      await delay(restMs);
      const answer = await fine(rig, host);
      const from = startedFrom(answer) ?? 'warm';
      if (from === 'nothing') stages.push(String(answer.headers['server-timing']));
      gantry.set(from, [...(gantry.get(from) ?? []), answer.firstByteMs]);
    };
    const askEngine = async () => {
      await stopped(rig, 'cold');
      await delay(restMs);
      alone.push(await startAlone(rig, 'cold'));
    };
    for (let at = 0; at < rig.order.scale.starts; at += 1) {
      // Each is first as often as the other.
      if (at % 4 < 2) await askEngine();
      await askGantry(at);
      if (at % 4 >= 2) await askEngine();
    }
    const whole = alone.map((one) => one.createMs + one.startMs + one.connectMs);
    const created = alone.map((one) => one.startMs + one.connectMs);
    const fromNothing = gantry.get('nothing') ?? [];
    const fromCreated = gantry.get('created') ?? [];
    return {
      figures: [
        figure('from nothing, p50', fromNothing, whole, { of: 'ratio', is: '≤', value: 1.2 }),
        figure('from created, p50', fromCreated, created, { of: 'ratio', is: '≤', value: 1.2 }),
      ],
      notes: [
        `the engine: create ${median(alone.map((one) => one.createMs)).toFixed(0)} ms, start ${median(
          alone.map((one) => one.startMs),
        ).toFixed(0)} ms, connect ${median(alone.map((one) => one.connectMs)).toFixed(0)} ms`,
        `one of Gantry's, in the middle: ${stages[stages.length >> 1] ?? 'none'}`,
        `Gantry's answers by where they came from: ${[...gantry]
          .map(([from, { length }]) => `${from} ${length}`)
          .join(', ')}`,
      ],
    };
  },
};

const frozenRow: FunctionsRow = {
  name: 'frozen',
  title: 'First byte of a function whose instance is frozen',
  async run(rig): Promise<Outcome> {
    const host = rig.order.hosts.frozen;
    const alone: number[] = [];
    const gantry: number[] = [];
    await fine(rig, host);
    for (let at = 0; at < rig.order.scale.starts; at += 1) {
      alone.push((await startAlone(rig, 'frozen')).thawMs);
      await until(async () => {
        return (await statesOf(rig, 'frozen')).includes('frozen') ? true : undefined;
      }, 'it is frozen');
      await delay(restMs);
      gantry.push((await fine(rig, host)).firstByteMs);
    }
    return {
      figures: [
        figure('from frozen, p50', gantry, alone, { of: 'own', is: '≤', value: 15 }),
        figure('p90', [percentile(gantry, 0.9)], [percentile(alone, 0.9)]),
      ],
    };
  },
};

/** Containers that were created ahead. */
export async function removeCreated(rig: Rig, service: string): Promise<void> {
  for (const { id, state, labels } of await rig.engine.containers()) {
    if (labels['gantry.service'] === service && state === 'created') await rig.engine.remove(id);
  }
}

export const coldRows: readonly FunctionsRow[] = [coldRow, frozenRow];
