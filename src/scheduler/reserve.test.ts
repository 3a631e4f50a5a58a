import assert from 'node:assert/strict';
import test from 'node:test';
import type { Project, ProjectFunctions } from '../ports/projects.ts';
import { deploymentLabels, hostLabels } from './host-labels.ts';
import { type PlanFacts, planReservation, pointerLabels } from './reserve.ts';

const project: Project = {
  ...{ id: 'prj_1', teamId: 'team_1', teamSlug: 'acme', slug: 'shop', plan: 'pro' },
  ...{ settings: {}, createdAt: 0 },
};
const withFunctions = (functions: ProjectFunctions): Project => ({
  ...project,
  settings: { functions },
});

function plan(facts: Partial<PlanFacts> = {}) {
  let made = 0;
  return planReservation({
    ...{ project, repository: 'web', tags: ['latest'], runnable: true, mayDeploy: true },
    ...{ enabled: true, newId: (prefix) => `${prefix}_${++made}`, ...facts },
  });
}

test('a first push needs no settings: latest goes to production, others to previews', () => {
  const reservation = plan({ tags: ['latest', 'pr-7'] });
  assert.deepEqual(reservation?.newService, { id: 'svc_1', name: 'web' });
  assert.deepEqual(
    reservation.deployments.map(({ id, environment, name, tag }) => [id, environment, name, tag]),
    [
      ['dpl_2', 'production', 'production', 'latest'],
      ['dpl_3', 'preview', 'pr-7', 'pr-7'],
    ],
  );
  const [first, second] = reservation.deployments;
  assert.match(first!.hosts[0]!, /^shop-web-[a-z0-9]{9}$/);
  assert.equal(first?.pointerHosts[0], 'shop-acme');
  assert.equal(first?.serviceHosts[0], 'web-shop-acme');
  assert.equal(second?.pointerHosts[0], 'shop-pr-7-acme');
  assert.equal(second?.serviceHosts[0], 'web-shop-pr-7-acme');
});

test('the production tag is a setting', () => {
  const tags = ['latest', 'live'];
  const settings = withFunctions({ productionTag: 'live' });
  assert.deepEqual(
    plan({ tags, project: settings })?.deployments.map(({ name }) => name),
    ['latest', 'production'],
  );
});

for (const [why, facts] of Object.entries<Partial<PlanFacts>>({
  'functions are off for the installation': { enabled: false },
  'functions are off for the team': { project: { ...project, teamFunctions: false } },
  'functions are off for the project': { project: withFunctions({ enabled: false }) },
  'it is no image': { runnable: false },
  'who pushes may not deploy': { mayDeploy: false },
  'it has no tag': { tags: [] },
  'its tag is a signature': { tags: [`sha256-${'a'.repeat(64)}.sig`] },
})) {
  test(`nothing is deployed where ${why}`, () => assert.equal(plan(facts), undefined));
}

test('a project may keep pushes from making services', () => {
  const reservation = plan({ project: withFunctions({ autoDeploy: false }) });
  assert.equal(reservation?.newService, undefined);
  assert.equal(reservation?.deployments.length, 1);
});

test('labels: of 63 characters at most, of letters, digits and single dashes', () => {
  const long = 'a'.repeat(200);
  const texts = ['web', 'a.b_c', 'X--y', '-', '', 'xn--80ak6aa92e', long, `${'a'.repeat(61)}.b`];
  for (const first of texts) {
    for (const second of texts) {
      const both = [hostLabels([first, second], 's'), deploymentLabels([first, second], 's')];
      for (const label of both.flat()) {
        assert.match(label, /^(?=.{1,63}$)[a-z0-9]+(-[a-z0-9]+)*$/, `${first} ${second}`);
      }
    }
  }
  assert.deepEqual(hostLabels(['a.b', 'C_d'], 's')[0], 'a-b-c-d');
  assert.equal(hostLabels([long], 's').length, 3);
});

test('what reads the same has other labels after the first', () => {
  const one = { ...project, id: 'prj_1', teamSlug: 'c', slug: 'a-b' };
  const other = { ...project, id: 'prj_2', teamSlug: 'b-c', slug: 'a' };
  const place = { environment: 'production', name: 'production' } as const;
  const [first, ...rest] = pointerLabels(one, place);
  const [same, ...others] = pointerLabels(other, place);
  assert.equal(first, same);
  assert.equal(new Set([...rest, ...others]).size, rest.length + others.length);
  // A preview that is called as the production of another.
  const preview = pointerLabels(project, { environment: 'preview', name: 'production' });
  assert.notDeepEqual(preview, pointerLabels(project, place));
});
