/** An OIDC issuer on loopback, and the policy by which the server under test trusts it. */
import assert from 'node:assert/strict';
import { startIssuer, type TestIssuer } from '../../tools/issuer.ts';
import type { DockerEngine } from './docker-engine.ts';
import { otherConfig } from './docker-verbs.ts';
import type { Context } from './suite.ts';

/** The subject that the policy lets in. */
export const trustedSubject = 'repo:example/app:ref:refs/heads/main';

/** Audience that the policy asks for, whatever the server's own is. */
export const audience = 'https://registry.example';

/** Starts an issuer, and has the first team trust it for all its projects; who called closes it. */
export async function trustedIssuer(
  { gantry }: Pick<Context, 'gantry'>,
  policy = 'example-ci',
): Promise<TestIssuer> {
  const issuer = await startIssuer();
  try {
    await gantry.admin(
      ...['policy', 'create', '--team', gantry.bootstrap.teamSlug, '--name', policy],
      ...['--issuer', issuer.url, '--audience', audience],
      ...['--claim', 'sub=repo:example/app:**', '--project', '*', '--actions', 'pull,push'],
    );
  } catch (error) {
    await issuer.close();
    throw error;
  }
  return issuer;
}

/** `docker login -u oidc` as someone with no other login, then `use` with that login. */
export async function oidcLogin(
  engine: DockerEngine,
  context: Context,
  use: (env: Record<string, string>) => Promise<unknown>,
): Promise<void> {
  const issuer = await trustedIssuer(context);
  try {
    const env = { ...engine.env, ...otherConfig(context) };
    const jwt = await issuer.sign({ sub: trustedSubject, aud: audience });
    const said = await engine.docker(['login', '-u', 'oidc', '--password-stdin', context.host], {
      env,
      input: jwt,
    });
    assert.match(said, /Login Succeeded/);
    await use(env);
  } finally {
    await issuer.close();
  }
}
