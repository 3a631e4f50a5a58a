import type { Outcome } from '../../bench.ts';
import { median } from '../../rounds.ts';
import { type FunctionsRow, type Rig, until } from '../rig.ts';
import { startedFrom } from './cold.ts';

/** For Gantry to create a container ahead, once its last instance has ended. */
const aheadMs = 10_000;

/**
 * Nothing of the image is left in the engine. A container that Gantry creates ahead of the next request has to be
 * waited for: made in between, it would keep the layers unpacked, and the engine's next pull would bring none.
 */
async function forget(rig: Rig, service: string, digest: string): Promise<void> {
  const containers = async () =>
    (await rig.engine.containers()).filter(({ labels }) => labels['gantry.service'] === service);
  let endedAt: number | undefined;
  await until(async () => {
    const states = (await containers()).map(({ state }) => state);
    if (states.some((state) => state !== 'created')) return undefined;
    endedAt ??= performance.now();
    return states.length > 0 || performance.now() - endedAt > aheadMs || undefined;
  }, 'no instance runs');
  for (const { id } of await containers()) await rig.engine.remove(id);
  await removeImage(rig, digest);
}

async function removeImage(rig: Rig, digest: string): Promise<void> {
  for (const { id, digests } of await rig.engine.images()) {
    if (digests.some((one) => one.endsWith(digest))) await rig.engine.removeImage(id);
  }
}

async function pulled(rig: Rig, name: 'gzip' | 'zstd'): Promise<Outcome> {
  const { order, engine } = rig;
  const { digest } = order.repositories[name];
  const host = order.hosts[name];
  const alone: number[] = [];
  const gantry: number[] = [];
  for (let at = 0; at < order.scale.pulls; at += 1) {
    await forget(rig, name, digest);
    const begun = performance.now();
    const credentials = `${order.teamId}:${order.token}`;
    await engine.pull(`${order.registry}/${rig.repository(name)}`, digest, credentials);
    const id = await engine.create(rig.reference(name));
    await engine.start(id);
    await engine.connect(id);
    alone.push(performance.now() - begun);
    await engine.remove(id);
    await removeImage(rig, digest);
    const answer = await rig.ask(order.origin, '/', { host });
    if (answer.status !== 200) throw new Error(`${host}: ${answer.status} ${answer.body}`);
    if (startedFrom(answer) !== 'pull') throw new Error(`the image of ${host} was there`);
    gantry.push(answer.firstByteMs);
  }
  return {
    figures: [
      {
        what: 'first byte, p50',
        unit: 's',
        gantry: median(gantry) / 1_000,
        peer: median(alone) / 1_000,
      },
    ],
    notes: [
      `an image of ${order.scale.pullBytes / 1e6} MB; the engine pulls from the same registry`,
    ],
  };
}

export const pullRows: readonly FunctionsRow[] = (['zstd', 'gzip'] as const).map((name) => ({
  name: `pull-${name}`,
  title: `First byte of a function whose image is not there (${name})`,
  run: (rig) => pulled(rig, name),
}));
