/** The driver, each call of which is a step (kill-at.ts). */
import * as real from '../../../../src/runtimes/docker/open-docker.ts';
import { step } from './kill-at.ts';

export * from '../../../../src/runtimes/docker/open-docker.ts';

const steps = new Set(['prepare', 'create', 'start', 'probe', 'freeze', 'thaw', 'stop', 'remove']);

export const openDockerDriver: typeof real.openDockerDriver = async (...options) => {
  const found = await real.openDockerDriver(...options);
  if (!('driver' in found)) return found;
  const driver = new Proxy(found.driver, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as (...args: unknown[]) => Promise<unknown>;
      if (typeof name !== 'string' || !steps.has(name)) return call;
      return (...args: unknown[]) => step(name, () => call(...args));
    },
  });
  return { ...found, driver };
};
