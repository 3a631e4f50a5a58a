/** What of Gantry's an engine holds, and what it must never hold. */
import { findCgroup, isCgroupFrozen } from '../../../src/runtimes/docker/cgroup.ts';
import type { FunctionEngine } from './engine.ts';
import { until } from './until.ts';

export interface Held {
  readonly id: string;
  readonly instance: string;
  readonly service: string;
  readonly deployment: string;
  readonly state: string;
}

/** Containers of instances, running or not. */
export async function held(engine: FunctionEngine, service?: string): Promise<Held[]> {
  const found = await engine.api<
    { Id: string; State: string; Labels: Readonly<Record<string, string>> }[]
  >('GET', '/containers/json?all=1');
  return found
    .map(({ Id, State, Labels }) => ({
      id: Id,
      instance: Labels['gantry.instance'] ?? '',
      service: Labels['gantry.service'] ?? '',
      deployment: Labels['gantry.deployment'] ?? '',
      state: State,
    }))
    .filter((one) => service === undefined || one.service === service);
}

export const runs = ({ state }: Held): boolean => state === 'running' || state === 'paused';

/** Waits until no instance of the service runs; what was created ahead may be there. */
export async function noneRuns(
  engine: FunctionEngine,
  service: string,
  withinMs = 60_000,
): Promise<void> {
  await until(
    async () => !(await held(engine, service)).some(runs) || undefined,
    `no instance of ${service} runs`,
    { withinMs },
  );
}

/** Whether none of a container's processes runs now: the engine may call it running or paused. */
export async function isFrozen(engine: Pick<FunctionEngine, 'api'>, id: string): Promise<boolean> {
  const { Id, State } = await engine.api<{ Id: string; State: { Pid: number } }>(
    'GET',
    `/containers/${id}/json`,
  );
  const cgroup = State.Pid > 0 ? await findCgroup(State.Pid, Id) : undefined;
  return cgroup !== undefined && isCgroupFrozen(cgroup);
}

/**
 * Waits until the engine holds no more than should be: of each deployment `most` running instances by its service
 * and one that was created ahead, nothing dead, and no instance twice.
 */
export async function agrees(
  engine: FunctionEngine,
  most: Readonly<Record<string, number>>,
  withinMs = 90_000,
): Promise<void> {
  await until(
    async () => {
      const wrong = await disagreements(engine, most);
      if (wrong.length > 0) throw new Error(wrong.join('; '));
      return true;
    },
    'the engine holds what should run, and nothing else',
    { withinMs, everyMs: 300 },
  );
}

async function disagreements(
  engine: FunctionEngine,
  most: Readonly<Record<string, number>>,
): Promise<string[]> {
  const all = await held(engine);
  const wrong: string[] = [];
  const instances = new Set<string>();
  for (const one of all) {
    const name = `${one.service} ${one.instance} (${one.state})`;
    if (!one.instance) wrong.push(`a container that is no instance: ${one.id} (${one.state})`);
    else if (instances.has(one.instance)) wrong.push(`twice: ${name}`);
    instances.add(one.instance);
    if (!runs(one) && one.state !== 'created') wrong.push(`left over: ${name}`);
    if (!(one.service in most)) wrong.push(`of no service: ${name}`);
  }
  for (const deployment of new Set(all.map((one) => one.deployment))) {
    const own = all.filter((one) => one.deployment === deployment);
    const service = own[0]!.service;
    const running = own.filter(runs).length;
    const ahead = own.length - running;
    if (running > (most[service] ?? 0)) wrong.push(`${running} instances of ${service} run`);
    if (ahead > 1) wrong.push(`${ahead} containers of ${service} were created ahead`);
  }
  return wrong;
}
