/** Where the server under test keeps its bytes: the same suites run on each. */
import { findVersitygw, startVersitygw } from '../../tools/versitygw.ts';
import type { Sandbox } from './sandbox.ts';

export interface Storage {
  readonly name: string;
  readonly obstacle?: () => string | undefined;
  /** Settings for the server, and how to end what was started for them. */
  start(sandbox: Sandbox): Promise<{ env: Record<string, string>; stop: () => Promise<void> }>;
}

export const filesystem: Storage = {
  name: 'the filesystem',
  start: async () => ({ env: {}, stop: async () => {} }),
};

/** Every byte goes through the server. */
export const s3Proxied = s3('S3, proxied', () => ({ GANTRY_S3_REDIRECT: 'off' }));

/** Pulls are redirected, to a name that has nothing in common with the registry's. */
export const s3Redirected = s3('S3, redirected', (endpoint) => {
  const { port } = new URL(endpoint);
  return { GANTRY_S3_REDIRECT: 'on', GANTRY_S3_PUBLIC_ENDPOINT: `http://localhost:${port}` };
});

const byName: Readonly<Record<string, Storage>> = {
  filesystem,
  's3-proxied': s3Proxied,
  's3-redirected': s3Redirected,
};

/**
 * Those that a suite runs on: its own, of which quick runs take the first. GANTRY_TEST_STORAGE names one for
 * every suite, and GANTRY_TEST_TOPOLOGY another topology, which says where bytes are.
 */
export function chosenStorages(own: readonly Storage[] = [filesystem]): readonly Storage[] {
  const topology = process.env.GANTRY_TEST_TOPOLOGY;
  if (topology) return [{ ...filesystem, name: topology }];
  const name = process.env.GANTRY_TEST_STORAGE;
  if (name === undefined) return process.env.GANTRY_TEST_QUICK === '1' ? own.slice(0, 1) : own;
  const storage = byName[name];
  if (storage) return [storage];
  const known = Object.keys(byName).join(', ');
  throw new Error(`GANTRY_TEST_STORAGE is ${name}, not one of ${known}`);
}

function s3(name: string, settings: (endpoint: string) => Record<string, string>): Storage {
  return {
    name,
    obstacle: () => {
      const found = findVersitygw();
      return 'missing' in found ? found.missing : undefined;
    },
    async start(sandbox) {
      const found = findVersitygw();
      if ('missing' in found) throw new Error(found.missing);
      const server = await startVersitygw({ program: found.path, folder: sandbox.fresh('s3') });
      return {
        env: {
          GANTRY_STORAGE: `s3://${server.bucket}/registry`,
          GANTRY_S3_ENDPOINT: server.endpoint,
          GANTRY_S3_REGION: server.region,
          AWS_ACCESS_KEY_ID: server.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: server.credentials.secretAccessKey,
          ...settings(server.endpoint),
        },
        stop: () => server.stop(),
      };
    },
  };
}
