/** Certificates of an authority of a test's own, in the folders that Docker's programs read them from. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Authority {
  /**
   * A new folder with ca.pem, cert.pem and key.pem; without `use`, with ca.pem alone. `names`: such as
   * `IP:10.0.0.1`.
   */
  issue(name: string, use: 'server' | 'client' | undefined, names?: readonly string[]): string;
}

/** Why there can be none here. */
export function needsOpenssl(): string | undefined {
  return spawnSync('openssl', ['version']).status === 0 ? undefined : 'openssl is not installed';
}

export function makeAuthority(folder: string): Authority {
  const openssl = (...args: string[]) => {
    const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const root = ['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=tests'];
  openssl('req', '-x509', ...key, ...root);
  return {
    issue(name, use, names = []) {
      const at = join(folder, name);
      mkdirSync(at);
      copyFileSync(join(folder, 'ca.pem'), join(at, 'ca.pem'));
      if (!use) return at;
      openssl(
        'req',
        ...key,
        '-keyout',
        join(at, 'key.pem'),
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=${name}`,
      );
      const extensions = [
        `extendedKeyUsage=${use}Auth`,
        ...(names.length > 0 ? [`subjectAltName=${names.join(',')}`] : []),
      ];
      writeFileSync(join(folder, `${name}.cnf`), `${extensions.join('\n')}\n`);
      const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
      const what = ['-in', `${name}.csr`, '-extfile', `${name}.cnf`];
      openssl('x509', '-req', ...by, ...what, '-out', join(at, 'cert.pem'));
      return at;
    },
  };
}
