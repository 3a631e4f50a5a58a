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
  inspect: (id: string) => Promise<Inspected>,
): Promise<RuntimeInstance[]> {
  const filters = JSON.stringify({ label: [`${label.installation}=${installation}`] });
  const query = { all: true, filters };
  const listed = await engine
    .call<readonly Listed[]>({ method: 'GET', path: '/containers/json', query })
    .catch((error) => {
      throw refused(error, {});
    });

  /** How one ended is not in the list. */
  async function whole(entry: Listed): Promise<RuntimeInstance | undefined> {
    const instance = listedInstance(entry);
    if (instance?.state !== 'ended') return instance;
    try {
      return instanceOf(await inspect(entry.Id));
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
