import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from '../oci/errors.ts';
import {
  type GithubTrust,
  type GitlabTrust,
  genericTrust,
  githubTrust,
  gitlabTrust,
  type VercelTrust,
  vercelTrust,
} from './trust-presets.ts';

const github = 'https://token.actions.githubusercontent.com';

function refused(make: () => unknown, message: RegExp): void {
  assert.throws(make, (error) => {
    assert.ok(error instanceof RegistryError && error.kind === 'invalid', String(error));
    assert.match(`${error.message} ${error.info.hint ?? ''}`, message);
    return true;
  });
}

test('GitHub: claims that do not depend on the form of the subject', () => {
  const cases: readonly [GithubTrust, issuer: string, claims: Record<string, string[]>][] = [
    [{ repositoryId: '22' }, github, { repository_id: ['22'] }],
    [
      { repositoryId: '22', repository: 'acme/app', ref: 'main', environment: 'production' },
      github,
      {
        repository_id: ['22'],
        repository: ['acme/app'],
        ref: ['refs/heads/main'],
        environment: ['production'],
      },
    ],
    [
      { ownerId: '11', ref: 'refs/tags/v*' },
      github,
      { repository_owner_id: ['11'], ref: ['refs/tags/v*'] },
    ],
    [{ repository: 'acme/*' }, github, { repository: ['acme/*'] }],
    [{ owner: 'acme', enterprise: 'big' }, `${github}/big`, { repository_owner: ['acme'] }],
    [{ owner: 'acme', server: 'https://github.com' }, github, { repository_owner: ['acme'] }],
    [
      { owner: 'acme', server: 'https://octocorp.ghe.com/' },
      'https://token.actions.octocorp.ghe.com',
      { repository_owner: ['acme'] },
    ],
    [
      { repository: 'a/b', server: 'https://git.example.com' },
      'https://git.example.com/_services/token',
      { repository: ['a/b'] },
    ],
  ];
  for (const [input, issuer, claims] of cases) {
    const trust = githubTrust(input);
    assert.deepEqual([trust.issuer, trust.audience, trust.claims], [issuer, undefined, claims]);
  }
  assert.equal(githubTrust({ repositoryId: '22', audience: 'x' }).audience, 'x');
  assert.match(githubTrust({ repository: 'a/b' }).advice ?? '', /gh api repos\/a\/b --jq \.id/);
  assert.match(githubTrust({ owner: 'a' }).advice ?? '', /gh api users\/a --jq \.id/);
  assert.equal(githubTrust({ repositoryId: '22', repository: 'a/b' }).advice, undefined);
  refused(() => githubTrust({}), /repository id/);
  refused(() => githubTrust({ ref: 'main' }), /shares one issuer/);
  refused(() => githubTrust({ repository: 'app' }), /owner\/name/);
  refused(() => githubTrust({ repository: '*/app' }), /whose are meant/);
  refused(() => githubTrust({ owner: 'acm*' }), /whose are meant/);
  refused(() => githubTrust({ repositoryId: 'acme/app' }), /is a number/);
  refused(() => githubTrust({ owner: 'a', server: 'git.example.com' }), /GitHub server/);
});

test('GitLab: the server is the issuer', () => {
  const cases: readonly [GitlabTrust, issuer: string, claims: Record<string, string[]>][] = [
    [{ projectId: '20' }, 'https://gitlab.com', { project_id: ['20'] }],
    [
      { project: 'g/s/p', ref: 'main', protectedRef: true, environment: 'prod' },
      'https://gitlab.com',
      {
        project_path: ['g/s/p'],
        ref: ['main'],
        ref_type: ['branch'],
        ref_protected: ['true'],
        environment: ['prod'],
      },
    ],
    [
      { namespaceId: '72', ref: 'refs/tags/*', server: 'https://git.example.com/gitlab/' },
      'https://git.example.com/gitlab',
      { namespace_id: ['72'], ref_path: ['refs/tags/*'] },
    ],
    [{ namespace: 'acme/**' }, 'https://gitlab.com', { namespace_path: ['acme/**'] }],
  ];
  for (const [input, issuer, claims] of cases) {
    const trust = gitlabTrust(input);
    assert.deepEqual([trust.issuer, trust.audience, trust.claims], [issuer, undefined, claims]);
  }
  assert.match(gitlabTrust({ project: 'g/p' }).advice ?? '', /CI_PROJECT_ID/);
  assert.equal(gitlabTrust({ projectId: '20', project: 'g/p' }).advice, undefined);
  refused(() => gitlabTrust({}), /CI_PROJECT_ID/);
  refused(() => gitlabTrust({ namespace: 'acme**' }), /whose are meant/);
  refused(() => gitlabTrust({ projectId: 'x' }), /is a number/);
});

test('Vercel: team and global issuer mode', () => {
  const team = 'https://oidc.vercel.com/acme';
  const cases: readonly [VercelTrust, issuer: string, claims: Record<string, string[]>][] = [
    [
      { team: 'acme', project: 'web', environment: 'production' },
      team,
      { owner: ['acme'], project: ['web'], environment: ['production'] },
    ],
    [
      { team: 'acme', teamId: 'team_1', project: 'prj_2' },
      team,
      { owner_id: ['team_1'], project_id: ['prj_2'] },
    ],
    [{ team: 'acme', mode: 'global' }, 'https://oidc.vercel.com', { owner: ['acme'] }],
  ];
  for (const [input, issuer, claims] of cases) {
    const trust = vercelTrust(input);
    assert.deepEqual(
      [trust.issuer, trust.audience, trust.claims],
      [issuer, 'https://vercel.com/acme', claims],
    );
  }
  assert.equal(vercelTrust({ team: 'acme', audience: 'x' }).audience, 'x');
  assert.match(vercelTrust({ team: 'acme', project: 'web' }).advice ?? '', /prj_/);
  assert.equal(vercelTrust({ team: 'acme', teamId: 'team_1' }).advice, undefined);
  refused(() => vercelTrust({ team: 'team_abc' }), /by its slug/);
  refused(() => vercelTrust({ team: 'a/../b' }), /by its slug/);
  refused(() => vercelTrust({ team: 'acme', mode: 'global', teamId: 'team_*' }), /whose are meant/);
});

test('any issuer: what could not work or would trust strangers is refused', () => {
  const trust = { issuer: 'https://idp.example/realms/a', claims: { sub: ['**'] } };
  assert.deepEqual(genericTrust(trust), { ...trust, audience: undefined });
  const issuers = [
    '',
    'idp.example',
    'ftp://idp.example',
    'https://a/?x',
    'https://a/#',
    'https://a b',
  ];
  for (const issuer of issuers) {
    refused(() => genericTrust({ ...trust, issuer }), /URL in the tokens' "iss"/);
  }
  refused(() => genericTrust({ ...trust, claims: {} }), /at least one claim/);
  refused(() => genericTrust({ ...trust, audience: '' }), /audience/);

  const shared: readonly [issuer: string, claims: Record<string, string[]>, accepted: boolean][] = [
    [github, { sub: ['repo:acme/app:**'] }, true],
    [github, { sub: ['repo:acme@1/*:**'] }, true],
    [github, { sub: ['repository_owner_id:11:repository_visibility:*'] }, true],
    [github, { sub: ['repo:acme*/app:**'] }, false],
    [github, { sub: ['repo:acme/app:**', '**'] }, false],
    [github, { sub: ['**'] }, false],
    [github, { ref: ['refs/heads/main'] }, false],
    [github, { job_workflow_ref: ['acme/ci/.github/workflows/a.yml@**'] }, false],
    [`${github}/`, { ref: ['refs/heads/main'] }, false],
    [`${github}/big`, { ref: ['refs/heads/main'] }, true],
    ['https://gitlab.com', { sub: ['project_path:acme/app:**'] }, true],
    ['https://gitlab.com', { sub: ['project_path:*/app:**'] }, false],
    ['https://git.example.com', { ref_protected: ['true'] }, true],
    ['https://oidc.vercel.com', { environment: ['production'] }, false],
    ['https://oidc.vercel.com', { sub: ['owner:acme:project:*:environment:*'] }, true],
    ['https://oidc.vercel.com/acme', { environment: ['production'] }, true],
  ];
  for (const [issuer, claims, accepted] of shared) {
    const make = () => genericTrust({ issuer, claims });
    if (accepted) make();
    else refused(make, /whose are meant/);
  }
});
