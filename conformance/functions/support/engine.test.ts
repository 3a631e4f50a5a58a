import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { makeSandbox } from '../../clients/support/sandbox.ts';
import { engineObstacle, releases, startFunctionEngine } from './engine.ts';
import { startFunctionsGantry } from './gantry.ts';
import { functionImage, functionIndex, loadImage } from './images.ts';
import { needsServerProgram } from './server-program.ts';
import { until } from './until.ts';

interface Inspected {
  readonly State: { readonly Running: boolean };
  readonly NetworkSettings: { readonly IPAddress?: string; readonly Networks: Networks };
}
type Networks = Readonly<Record<string, { readonly IPAddress: string }>>;

for (const release of releases) {
  const skip = engineObstacle(release) ?? needsServerProgram();
  describe(`the harness on ${release.name}`, { ...(skip ? { skip } : {}) }, () => {
    test('an engine runs an image that was pushed, is restarted, hangs and leaves nothing', async () => {
      const sandbox = makeSandbox();
      const engine = await startFunctionEngine(release, sandbox);
      try {
        const gantry = await startFunctionsGantry({
          sandbox,
          engine,
          network: engine.network,
          env: { GANTRY_FUNCTIONS: 'off' },
        });
        await gantry.logIn(engine);
        const image = functionImage({ version: 'by docker' });
        await loadImage(
          engine,
          sandbox,
          `${gantry.registry}/${gantry.repository('one')}:v1`,
          image,
        );
        await engine.docker(['push', `${gantry.registry}/${gantry.repository('one')}:v1`]);
        await gantry.push(gantry.repository('two'), 'v1', functionIndex({ version: 'an index' }));
        for (const [name, version] of [
          ['one', 'by docker'],
          ['two', 'an index'],
        ] as const) {
          const reference = `${gantry.registry}/${gantry.repository(name)}:v1`;
          await engine.docker(['run', '-d', '--name', name, reference]);
          const said = await until(
            () => saidBy(engine.network.run, address(inspect(name))),
            `${name} answers`,
          );
          assert.match(said, new RegExp(`hello from ${version}`));
        }
        await gantry.halt('SIGKILL');
        await gantry.resume();
        await gantry.halt();
        await engine.restart('SIGKILL');
        assert.deepEqual((await engine.leftovers()).containers.length, 2);
        await engine.hang();
        const answered = await Promise.race([
          engine.api('GET', '/_ping').then(() => true),
          new Promise((resolve) => setTimeout(resolve, 300, false)),
        ]);
        assert.equal(answered, false);
        engine.resume();
        await engine.api('GET', '/_ping');
        await engine.restart();
        assert.deepEqual((await inspect('one')).State.Running, false, 'SIGTERM ends containers');
      } finally {
        await engine.stop();
        sandbox.remove();
      }
      assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(sandbox.folder));
      assert.doesNotMatch(
        readFileSync('/proc/self/mountinfo', 'utf8'),
        new RegExp(engine.network.name),
      );

      function inspect(name: string) {
        return engine.api<Inspected>('GET', `/containers/${name}/json`);
      }
    });
  });
}

async function address(inspected: Promise<Inspected>): Promise<string> {
  const found = (await inspected).NetworkSettings.Networks.bridge?.IPAddress;
  assert.ok(found, 'it has an address');
  return found;
}

async function saidBy(run: (program: string, ...args: string[]) => string, at: Promise<string>) {
  const program = `fetch('http://${await at}/').then((r) => r.text()).then(console.log)`;
  return run(process.execPath, '-e', program);
}
