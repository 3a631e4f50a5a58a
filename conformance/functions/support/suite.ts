/**
 * A suite of functions: one engine and one Gantry for all its tests, each in services of its own; at the end
 * Gantry ends in order, and nothing that has ended is left in the engine.
 */
import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { makeSandbox, type Sandbox } from '../../clients/support/sandbox.ts';
import { firstObstacle } from '../../clients/support/suite.ts';
import { held, runs } from './containers.ts';
import {
  type DockerRelease,
  docker29,
  type EngineOptions,
  engineObstacle,
  type FunctionEngine,
  startFunctionEngine,
} from './engine.ts';
import { Functions } from './functions-api.ts';
import { type FunctionsGantry, startFunctionsGantry } from './gantry.ts';
import { needsServerProgram } from './server-program.ts';

export interface World {
  readonly sandbox: Sandbox;
  readonly engine: FunctionEngine;
  readonly gantry: FunctionsGantry;
  readonly functions: Functions;
}

export interface FunctionsSuite {
  readonly name: string;
  /** Docker 29 alone unless given. */
  readonly releases?: readonly DockerRelease[];
  /** All releases at once, for a suite that waits for minutes; its tests stay in order on each. */
  readonly sideBySide?: boolean;
  readonly obstacle?: () => string | undefined;
  /** How the engine is started, where that is not as usual; and what has to be taken away after it. */
  readonly engine?: (sandbox: Sandbox) => EngineOptions & { readonly after?: () => void };
  /** Settings of Gantry. */
  readonly env?: Readonly<Record<string, string>>;
  readonly prepare?: (world: World) => Promise<void>;
  /** By title. */
  readonly tests: Readonly<Record<string, (world: World, t: TestContext) => Promise<void>>>;
}

export function functionsSuite(suite: FunctionsSuite): void {
  if (suite.sideBySide) describe(suite.name, { concurrency: true }, () => suiteOnEach(suite));
  else suiteOnEach(suite);
}

function suiteOnEach(suite: FunctionsSuite): void {
  for (const release of suite.releases ?? [docker29]) {
    const skip = firstObstacle(engineObstacle(release), needsServerProgram(), suite.obstacle?.());
    describe(`${suite.name} on ${release.name}`, { concurrency: 1 }, () => {
      let world: (World & { close(): Promise<void> }) | undefined;
      if (!skip) {
        before(async () => {
          world = await open(suite, release);
        });
        after(() => world?.close());
      }
      for (const [title, body] of Object.entries(suite.tests)) {
        test(title, skip ? { skip } : {}, async (t) => {
          try {
            await body(world!, t);
          } catch (error) {
            t.diagnostic(`the server's log:\n${notable(world!.gantry.output())}`);
            throw error;
          }
        });
      }
    });
  }
}

async function open(suite: FunctionsSuite, release: DockerRelease) {
  await using stack = new AsyncDisposableStack();
  const sandbox = makeSandbox();
  stack.defer(() => sandbox.remove());
  const { after: afterwards, ...options } = suite.engine?.(sandbox) ?? {};
  if (afterwards) stack.defer(afterwards);
  const engine = await startFunctionEngine(release, sandbox, options);
  stack.defer(() => engine.stop());
  const gantry = await startFunctionsGantry({
    ...{ sandbox, engine, network: engine.network },
    ...(suite.env ? { env: suite.env } : {}),
  });
  stack.defer(async () => {
    await gantry.halt();
    // What runs is kept for the next start; what has ended is not.
    const left = (await held(engine)).filter((one) => !runs(one) && one.state !== 'created');
    assert.deepEqual(left, [], 'nothing that has ended is left in the engine');
  });
  const functions = new Functions(gantry);
  const world = { sandbox, engine, gantry, functions };
  await suite.prepare?.(world);
  const running = stack.move();
  return { ...world, close: () => running.disposeAsync() };
}

/** The lines that tell of a failure, and the last ones. */
function notable(log: string): string {
  const lines = log.split('\n').filter(Boolean);
  const bad = lines.filter((line) => /"level":"(warn|error)"/.test(line)).slice(-15);
  return [...bad, '…', ...lines.slice(-10)].join('\n');
}
