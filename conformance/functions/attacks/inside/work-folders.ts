import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { RuntimeError } from '../../../../src/ports/runtime-driver.ts';
import { descriptors, escapeImage } from '../bench.ts';
import type { Attack } from './attacks.ts';
import { Running } from './inside.ts';

const ups = Array.from({ length: 12 }, (_, depth) => '../'.repeat(depth));

export const workFolders: Readonly<Record<string, Attack>> = {
  'A41: a WORKDIR in an open file of the engine does not start, and a canary of the host is not read':
    {
      async run(scope) {
        const secret = randomBytes(16).toString('hex');
        const name = `gantry-canary-${randomBytes(4).toString('hex')}`;
        writeFileSync(`/${name}`, secret);
        scope.defer(() => rmSync(`/${name}`));
        const driver = await scope.inside.driver();
        const outcomes: string[] = [];
        for (const number of descriptors) {
          const { id } = await scope.create('escape', { image: escapeImage(number) });
          const started = await driver.start(id).catch((error: unknown) => {
            assert.ok(
              error instanceof RuntimeError && error.failure === 'start-failed',
              `${error}`,
            );
            return undefined;
          });
          outcomes.push(started ? 'started' : 'refused');
          if (!started?.address) continue;
          // It runs all the same: then not where the host's files are.
          const running = new Running(id, started.instanceId, started.address);
          for (const up of ups) {
            const { body } = await running.ask(`/file?path=${up}${name}`);
            assert.ok(!body.includes(secret), `${up}${name} is read from descriptor ${number}`);
          }
        }
        assert.equal(outcomes[descriptors.indexOf(7)], 'refused', outcomes.join());
      },
    },
};
