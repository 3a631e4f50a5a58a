interface Started {
  readonly url: string;
  readonly first: boolean;
  /** Undefined: they are off. `missing`: why none can run. */
  readonly functions:
    | { readonly missing: string | undefined; readonly warnings: readonly string[] }
    | undefined;
  readonly bootstrap:
    | {
        readonly registry: string;
        readonly teamId: string;
        readonly teamSlug: string;
        readonly projectSlug: string;
      }
    | undefined;
}

export const help = `Starts the Gantry server. Settings come from the environment or a file (docs/settings.md):

  npm start                              on 127.0.0.1:5050, with its data in ./data
  GANTRY_PORT=8080 npm start             on another port; 0 takes any free one
  GANTRY_DATA=/srv/gantry npm start      with its data elsewhere
  GANTRY_CONFIG=gantry.json npm start    with the settings of a file

  npx gantry admin --help                teams, projects, tokens and trust policies
`;

/** What a start prints: the commands of a first push, ready to paste. The token itself stays in its file. */
export function greeting(started: Started, config: { readonly data: string }): string {
  const lines = ['', `Gantry is ready at ${started.url}`, ''];
  const { bootstrap, functions } = started;
  if (bootstrap) {
    const image = `${bootstrap.registry}/${bootstrap.teamSlug}/${bootstrap.projectSlug}/hello:latest`;
    const file = `${config.data}/bootstrap.json`;
    lines.push(
      ...(started.first ? [`  A first team, project and token were made: ${file}`, ''] : []),
      `  node -p 'require(process.argv[1]).token' ${quote(file)} | docker login ${bootstrap.registry} --username ${bootstrap.teamId} --password-stdin`,
      `  docker tag hello:latest ${image}`,
      `  docker push ${image}`,
      `  docker pull ${image}`,
      ...(functions && !functions.missing
        ? [
            `  curl ${started.url}/run/${bootstrap.teamSlug}/${bootstrap.projectSlug}/   what was pushed, running`,
          ]
        : []),
      '',
    );
  } else {
    lines.push('  npx gantry admin token create --help   makes a token to log in with', '');
  }
  if (functions?.missing) {
    lines.push(`  Pushed images do not run as functions: ${functions.missing}`, '');
  }
  for (const warning of functions?.warnings ?? []) lines.push(`  Careful: ${warning}`, '');
  lines.push(`  ${started.url}/api/v1/docs   the API, for what is not pushed or pulled`, '');
  return `${lines.join('\n')}\n`;
}

/** Why a start failed, for the one who started it. */
export function explainStart(error: unknown): string {
  const { code, port, address } = error as { code?: string; port?: number; address?: string };
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${address} is taken by another program.\nTry the next one: GANTRY_PORT=${(port ?? 5050) + 1} npm start   (or GANTRY_PORT=0 for any free port)`;
  }
  if (code === 'EACCES' && port !== undefined) {
    return `This user may not listen on port ${port}.\nTry one above 1023: GANTRY_PORT=5050 npm start`;
  }
  if (code === 'ENOSPC') {
    return 'The disk of the data folder is full.\nFree some space on it, then start again.';
  }
  if (code === 'EADDRNOTAVAIL') {
    return `This machine has no address ${address}.\nSet GANTRY_HOST to one that it has, such as 127.0.0.1 or 0.0.0.0.`;
  }
  return `Gantry could not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function quote(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
