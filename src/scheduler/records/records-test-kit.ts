import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSqliteMetadata } from '../../../storage-adapters/metadata/sqlite.ts';
import { recordsConfig } from '../../config/record-settings.ts';
import { Metrics } from '../../observability/metrics.ts';
import { digestOf } from '../../oci/digest.ts';
import { firstIdAt } from '../../ports/function-records.ts';
import type { ServiceSettings } from '../../ports/functions.ts';
import {
  type InstanceStats,
  type RuntimeDriver,
  RuntimeError,
  type RuntimeInstance,
  type RuntimeLogLine,
} from '../../ports/runtime-driver.ts';
import type { ActivationTarget, RequestEnd, StartStages } from '../activation.ts';
import type { InstanceState, InstanceView } from '../instance.ts';
import { openRecords, type RecordsDeps } from './open-records.ts';

export const begin = Date.UTC(2026, 10, 21, 12);
export const digest = digestOf(Buffer.from('image'));

export function target(
  settings: ServiceSettings = {},
  more: Partial<ActivationTarget> = {},
): ActivationTarget {
  return {
    ...{ deploymentId: 'dpl_1', teamId: 'team_1', teamSlug: 'acme', projectId: 'prj_1' },
    ...{ projectSlug: 'shop', environment: 'production', host: 'web.localhost' },
    service: {
      ...{ serviceId: 'svc_1', name: 'web', repositoryId: 'repo_1', repository: 'acme/shop/web' },
      ...{ digest, settings },
    },
    ...more,
  };
}

/** What is asked of an engine here, of instances that a test makes: lines that come, and a CPU counter. */
export class TestDriver implements Pick<RuntimeDriver, 'logs' | 'stats'> {
  readonly lines = new Map<string, RuntimeLogLine[]>();
  readonly cpu = new Map<string, InstanceStats>();
  readonly ended = new Set<string>();
  looks = 0;
  readers = 0;
  #changed = Promise.withResolvers<void>();

  write(id: string, text: string, at: number, stream: 'stdout' | 'stderr' = 'stdout'): void {
    const lines = this.lines.get(id) ?? [];
    this.lines.set(id, [...lines, { at, stream, text }]);
    this.#wake();
  }

  end(id: string): void {
    this.ended.add(id);
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async *logs(
    id: string,
    { since = 0, follow, signal }: { since?: number; follow: boolean; signal?: AbortSignal },
  ): AsyncGenerator<RuntimeLogLine> {
    const aborted = new Promise<void>((done) => signal?.addEventListener('abort', () => done()));
    this.readers += 1;
    try {
      for (let at = 0; !signal?.aborted; ) {
        const line = this.lines.get(id)?.[at];
        if (line) {
          at += 1;
          if (line.at >= since) yield line;
        } else if (!follow || this.ended.has(id)) return;
        else await Promise.race([this.#changed.promise, aborted]);
      }
    } finally {
      this.readers -= 1;
    }
  }

  async stats(id: string): Promise<InstanceStats> {
    this.looks += 1;
    const stats = this.cpu.get(id);
    if (!stats) throw new RuntimeError('no-such-instance', id);
    return stats;
  }
}

/** Records over a real database, with a clock and an engine of the test's own. */
export async function openTestRecords(
  t: { after(fn: () => unknown): void },
  more: Partial<RecordsDeps> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-records-'));
  const metadata = await openSqliteMetadata({ folder });
  const driver = new TestDriver();
  const { registry } = new Metrics();
  const warned: object[] = [];
  let now = begin;
  const clock = { now: () => now };
  const createdAt = begin;
  await metadata.writer.run('CreateTeam', {
    ...{ id: 'team_1', slug: 'acme', name: 'Acme', plan: 'pro' as const, createdAt },
  });
  await metadata.writer.run('CreateProject', {
    ...{ id: 'prj_1', teamId: 'team_1', slug: 'shop', settings: {}, createdAt },
  });
  let made = 0;
  const newUsageId = () => `${firstIdAt('mtr', now)}${String(++made).padStart(20, '0')}`;
  const deps: RecordsDeps = {
    ...{ metadata, clock, metrics: { registry }, newUsageId, driver: () => driver },
    log: { warn: (message, fields) => void warned.push({ message, ...fields }) },
    outbound: {
      check: () => {},
      fetch: () => Promise.reject(new Error('no way out')),
    },
    settings: recordsConfig({
      ...{ logRetention: '7d', logLimit: 1000, logRate: 500, usageRetention: '400d' },
      ...{ prices: ['activeCpuHour=0.1'], currency: 'USD' },
    }),
    folder: join(folder, 'logs'),
    machineOf: () => ({ cpus: 1, memory: 512 << 20 }),
    brackets: () => [],
    times: {
      recorder: { flushMs: 1 },
      metering: { lookMs: 3_600_000, leastMs: 0, storageMs: 3_600_000 },
    },
    ...more,
  };
  const records = await openRecords(deps);
  let closed = false;
  const close = async () => {
    if (!closed) await records.close();
    closed = true;
  };
  t.after(async () => {
    await close();
    await metadata.close();
    await rm(folder, { recursive: true });
  });

  const states = new Map<string, InstanceState>();
  const view = (of: ActivationTarget, instanceId: string, state: InstanceState): InstanceView => ({
    ...{ instanceId, target: of, state, reason: undefined, inFlight: 0, createdAt: begin },
    lastRequestAt: undefined,
  });
  const runtimeOf = (instanceId: string): RuntimeInstance =>
    ({
      ...{ id: `engine-${instanceId}`, instanceId, labels: {}, state: 'running' },
      ...{ address: '10.0.0.1', exit: undefined },
    }) as unknown as RuntimeInstance;
  return {
    ...{ folder, metadata, driver, registry, warned, clock, records, close, deps },
    pass(ms: number) {
      now += ms;
    },
    to(
      of: ActivationTarget,
      instanceId: string,
      state: InstanceState,
      event: { reason?: string; exit?: RuntimeInstance['exit']; runtime?: boolean } = {},
    ) {
      const runs = event.runtime ?? !['pending', 'pulling'].includes(state);
      records.observer.changed({
        view: { ...view(of, instanceId, state), reason: event.reason },
        ...{ from: states.get(instanceId), at: now },
        runtime: runs ? runtimeOf(instanceId) : undefined,
        ...(event.exit && { exit: event.exit }),
      });
      states.set(instanceId, state);
    },
    start(of: ActivationTarget, instanceId: string, requestId: string) {
      records.observer.started({ target: of, requestId, instanceId, at: now });
    },
    end(
      of: ActivationTarget,
      instanceId: string | undefined,
      requestId: string,
      event: Partial<RequestEnd> & { start?: StartStages | undefined } = {},
    ) {
      const at = now - (event.totalMs ?? 10);
      records.observer.ended({
        ...{ target: of, requestId, instanceId, at, method: 'GET', host: 'web.localhost' },
        ...{ path: '/', status: 200, error: undefined, start: undefined, queueMs: 0 },
        ...{ firstByteMs: 5, totalMs: 10, requestBytes: 0, responseBytes: 2 },
        ...event,
      });
    },
    /** Lines that were written, oldest first, once there are so many. */
    async lines(count: number, scope: { requestId?: string; instanceId?: string } = {}) {
      for (;;) {
        const lines = await metadata.functionRecords.lines(
          { projectId: 'prj_1', ...scope },
          { after: '' },
          1000,
        );
        if (lines.length >= count) return lines;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    usage: (day = '2026-11-21') =>
      metadata.functionRecords.usage({ projectId: 'prj_1', day }, undefined, 1000),
  };
}

/** An id as the gateway gives requests. */
export const requestId = (n: number): string =>
  `${firstIdAt('req', begin)}${String(n).padStart(20, '0')}`;

/** Looks at the engine come a moment after what causes them. */
export const turns = async () => {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
};
