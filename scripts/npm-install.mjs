import { spawn, spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

/** What zstd-napi is compiled with where no built one can be had. */
const COMPILER = { 'g++': 'g++', make: 'make', python3: 'python3' };

/**
 * Runs `npm ci` in `root`, or, with `add`, installs what is missing and leaves the rest alone; again with a
 * compiler where that was what it lacked and we may install one. Gives what to tell the person where it
 * failed, with npm's own words, else undefined.
 */
export async function npmInstall(root, { withDev, add }, say) {
  const env = npmEnvironment(root);
  const args = add ? ['install', '--no-save'] : ['ci'];
  args.push(withDev ? '--include=dev' : '--omit=dev', '--include=optional');
  args.push('--no-audit', '--no-fund', '--loglevel=error');
  const first = await run('npm', args, root, env);
  if (first.code === 0) return undefined;
  const lacking = missingPrograms(env);
  if (lacking.length === 0 || !/node-gyp|prebuild-install/.test(first.output)) {
    return explain(first);
  }
  if (!(await installPackages(lacking, root, env, say))) {
    return `${explain(first)}\nzstd-napi has to be compiled here, which needs ${lacking.join(', ')}: install them (Debian: apt-get install ${lacking.join(' ')}) and run this again.`;
  }
  const second = await run('npm', args, root, env);
  return second.code === 0 ? undefined : explain(second);
}

/**
 * `npm test` puts the checkout's own Node first on PATH: the one that is about to be replaced. Without it
 * npm runs on the system's. Where that has its headers beside it, they need not be downloaded.
 */
export function npmEnvironment(root, base = process.env) {
  const own = join(root, 'node_modules');
  const folders = (base.PATH ?? '').split(delimiter).filter((folder) => !folder.startsWith(own));
  const env = { ...base, PATH: folders.join(delimiter) };
  // The calling npm's own choices, such as --omit, are not for this one.
  for (const name of Object.keys(env)) {
    if (
      /^npm_config_(omit|include|ignore_scripts|global|prefix|only|production|dry_run)$/i.test(name)
    ) {
      delete env[name];
    }
  }
  const node = folders.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
  const prefix = node && dirname(dirname(realpathSync(node)));
  if (prefix && existsSync(join(prefix, 'include', 'node', 'node_api.h'))) {
    env.npm_config_nodedir ??= prefix;
  }
  return env;
}

function missingPrograms(env) {
  const folders = (env.PATH ?? '').split(delimiter);
  return Object.entries(COMPILER)
    .filter(([program]) => !folders.some((folder) => existsSync(join(folder, program))))
    .map(([, name]) => name);
}

async function installPackages(names, root, env, say) {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version'], { env }).status !== 0) {
    return false;
  }
  say(`installing Debian packages: ${names.join(' ')} …`);
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], root, quiet);
  const args = ['install', '-y', '-qq', '--no-install-recommends', ...names];
  return (await run('apt-get', args, root, quiet)).code === 0;
}

/** npm says first what is wrong, and last how it is used. */
export function explain({ code, output }) {
  const lines = output.split('\n').filter((line) => line.replace(/^npm (?:error|warn)/, '').trim());
  const words = lines.length > 40 ? [...lines.slice(0, 20), '…', ...lines.slice(-10)] : lines;
  return `the dependencies could not be installed (${code}). That needs npm and a way to the npm registry. npm says:\n${words.join('\n')}`;
}

function run(program, args, cwd, env) {
  return new Promise((fulfil) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk) => {
      output = (output + chunk).slice(-100_000);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) =>
      fulfil({ code: error.code, output: `${program}: ${error.message}` }),
    );
    child.on('close', (code, signal) => fulfil({ code: code ?? signal, output }));
  });
}
