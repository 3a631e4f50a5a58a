/** Starts the server, prints how to use it, and drains on a signal. */
import { start } from './compose.ts';
import { ConfigError, loadConfig } from './config/load.ts';
import { version } from './config/version.ts';
import { explainStart, greeting, help } from './observability/greeting.ts';
import { RegistryError } from './oci/errors.ts';

async function main(): Promise<void> {
  const config = loadConfig(process.env, { cwd: process.cwd() });
  const gantry = await start(config);

  let stopping = false;
  const stop = (signal: string): void => {
    // A second Ctrl-C means that waiting is no longer wanted; supervisors send SIGTERM more than once.
    if (stopping && signal === 'SIGINT') process.exit(1);
    if (stopping) return;
    stopping = true;
    gantry.logger.info('draining', { signal });
    gantry.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        gantry.logger.error('stop failed', { cause: String(error) });
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => stop(signal));
  }
  // After that: who has read it may send a signal at once.
  process.stdout.write(greeting(gantry, config));
}

/** The server takes settings, not arguments: one that was meant for another program must not start it. */
function answerArguments(args: readonly string[]): boolean {
  const [first] = args;
  if (first === undefined) return false;
  if (first === '--version') process.stdout.write(`${version}\n`);
  else if (first === '--help' || first === '-h') process.stdout.write(help);
  else {
    process.stderr.write(`The server takes no argument ${JSON.stringify(first)}.\n\n${help}`);
    process.exitCode = 2;
  }
  return true;
}

function plain(error: ConfigError | RegistryError): string {
  const hint = error instanceof RegistryError ? error.info.hint : undefined;
  return hint ? `${error.message}\n${hint}` : error.message;
}

if (!answerArguments(process.argv.slice(2))) {
  main().catch((error: unknown) => {
    const known = error instanceof ConfigError || error instanceof RegistryError;
    process.stderr.write(`${known ? plain(error) : explainStart(error)}\n`);
    process.exit(1);
  });
}
