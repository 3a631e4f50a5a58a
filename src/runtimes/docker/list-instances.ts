import type { RuntimeError, RuntimeInstance } from '../../ports/runtime-driver.ts';
import type { Engine } from './engine.ts';
import { type Inspected, instanceOf, type Listed, listedInstance } from './inspected.ts';
import { label } from './labels.ts';
import { refused } from './refusals.ts';

const atOnce = 16;

/** Of that installation. Rejects with `unavailable`. */
export async function listInstances(
  engine: Engine,
  installation: string,
  look: {
    readonly inspect: (id: string) => Promise<Inspected>;
    /** By its cgroup, which the engine does not look at. */
    readonly isFrozen: (id: string) => Promise<boolean>;
  },
): Promise<RuntimeInstance[]> {
  const filters = JSON.stringify({ label: [`${label.installation}=${installation}`] });
  const query = { all: true, filters };
  const listed = await engine
    .call<readonly Listed[]>({ method: 'GET', path: '/containers/json', query })
    .catch((error) => {
      throw refused(error, {});
    });

  /** How one ended, and what was frozen by its cgroup, is not in the list. */
  async function whole(entry: Listed): Promise<RuntimeInstance | undefined> {
    const instance = listedInstance(entry);
    if (instance?.state === 'running' && (await look.isFrozen(entry.Id))) {
      return { ...instance, state: 'frozen' };
    }
    if (instance?.state !== 'ended') return instance;
    try {
      return instanceOf(await look.inspect(entry.Id));
    } catch (error) {
      if ((error as RuntimeError).failure === 'no-such-instance') return undefined;
      throw error;
    }
  }

  const found: RuntimeInstance[] = [];
  for (let at = 0; at < listed.length; at += atOnce) {
    const some = await Promise.all(listed.slice(at, at + atOnce).map(whole));
    found.push(...some.filter((instance) => instance !== undefined));
  }
  return found;
}
