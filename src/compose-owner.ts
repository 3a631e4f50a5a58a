/** One replica at a time runs functions: compose.ts alone uses it. */
import { type Functions, type FunctionsDeps, openFunctions } from './compose-functions.ts';
import type { Leader } from './maintenance/leader.ts';
import { describe } from './oci/errors.ts';
import { dockerAnswers } from './runtimes/docker/open-docker.ts';

const lookEveryMs = 500;
/** How often an engine is looked for that was not there at the start, as after a reboot. */
const findEveryMs = 5_000;

/** Functions as they are now: they change when this replica begins to run them, or another took them over. */
export interface OwnedFunctions {
  readonly current: Functions;
  /** Once the server listens. */
  start(): Promise<void>;
  drain(): Promise<void>;
  /** No function is run any more. */
  close(): Promise<void>;
  /** Once nobody asks for what is left of them: the engine, records. */
  release(): Promise<void>;
}

/**
 * `engine`: the lease of who runs them; undefined: this process is alone. A replica without it knows the services and
 * takes pushes, and answers their requests with 503. One that takes it over finds what runs on the engine and goes on
 * with it; one that lost it leaves all that runs to the other. Undefined: functions are off.
 */
export async function openOwnedFunctions(
  deps: FunctionsDeps,
  engine: Leader | undefined,
): Promise<OwnedFunctions | undefined> {
  let closers: (() => Promise<unknown> | unknown)[] = [];
  const open = async (owns: boolean) => {
    closers = [];
    return openFunctions({ ...deps, elsewhere: !owns }, closers);
  };
  const release = async () => {
    for (const close of closers.reverse()) await close();
    closers = [];
  };
  let owns = engine?.leads !== false;
  let current: Functions | undefined;
  try {
    current = await open(owns);
  } catch (error) {
    await release();
    throw error;
  }
  if (!current) return undefined;
  let competes = engine !== undefined;
  const withdraw = async () => {
    competes = false;
    await engine?.close();
  };
  // A replica without an engine leaves the lease to those that have one.
  if (owns && !current.driver) await withdraw();

  let started = false;
  let closed = false;
  const change = async () => {
    // Alone, it only opens anew what has an engine now.
    const next = engine ? !owns : owns;
    await current?.close({ keep: true });
    await release();
    owns = next;
    try {
      current = await open(owns);
      if (owns && !current?.driver) await withdraw();
    } catch (error) {
      deps.logger.error('functions could not be taken over', { cause: describe(error) });
      await withdraw();
      await release();
      owns = false;
      current = await open(owns);
    }
    if (started) await current?.start();
  };
  let changing: Promise<void> | undefined;
  let engineCame = false;
  const finding = setInterval(() => {
    if (engine || !started || current?.driver) return;
    const { dockerHost } = deps.config.functions;
    void dockerAnswers({ dockerHost, env: process.env }).then((answers) => {
      engineCame = answers && !current?.driver;
    });
  }, findEveryMs).unref();
  const timer = setInterval(() => {
    // While the database does not answer, whoever runs functions goes on: nobody can take them over.
    const due = engine ? competes && (owns ? engine.overtaken : engine.leads) : engineCame;
    if (!due || !started || closed || changing) return;
    engineCame = false;
    changing = change()
      .catch((error: unknown) => {
        deps.logger.error('functions could not change hands', { cause: describe(error) });
      })
      .finally(() => {
        changing = undefined;
      });
  }, lookEveryMs).unref();

  return {
    get current() {
      return current!;
    },
    async start() {
      await current?.start();
      started = true;
    },
    async drain() {
      closed = true;
      clearInterval(timer);
      clearInterval(finding);
      await changing;
      await current?.drain();
    },
    async close() {
      closed = true;
      clearInterval(timer);
      clearInterval(finding);
      await changing;
      await current?.close();
    },
    release,
  };
}
