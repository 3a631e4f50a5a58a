import { refuse } from '../oci/errors.ts';
import { quote } from '../oci/quote.ts';
import type { Project, ProjectSettings } from '../ports/projects.ts';
import type { AdminDeps, Handlers } from './admin-context.ts';
import { type AdminLookup, pathOf } from './admin-lookup.ts';
import type { ProjectSettingsChange, ProjectView } from './admin-methods.ts';
import { isSlug } from './admin-validate.ts';
import { isId } from './ids.ts';

type TeamMethods =
  | 'team.create'
  | 'team.list'
  | 'team.set-plan'
  | 'project.create'
  | 'project.list'
  | 'project.settings'
  | 'account.create'
  | 'account.list'
  | 'account.set-operator'
  | 'account.delete'
  | 'member.add'
  | 'member.list'
  | 'member.remove';

/** Teams, their projects, and the people in them. */
export function teamHandlers(deps: AdminDeps, lookup: AdminLookup): Pick<Handlers, TeamMethods> {
  const { teams, projects, writer } = deps.metadata;
  return {
    async 'team.create'({ slug, name = slug, plan = deps.plan }) {
      const team = { id: deps.newId('team'), slug, name, plan, createdAt: deps.clock.now() };
      await writer.run('CreateTeam', team);
      return team;
    },
    async 'team.list'() {
      return { teams: await teams.list() };
    },
    async 'team.set-plan'({ team: reference, plan }) {
      const team = await lookup.team(reference);
      await writer.run('SetTeamPlan', { teamId: team.id, plan });
      return { ...team, plan };
    },

    async 'project.create'({ project: path, ...change }) {
      const { team, slug } = await newProject(path, lookup);
      const project: Project = {
        id: deps.newId('prj'),
        teamId: team.id,
        teamSlug: team.slug,
        slug,
        plan: team.plan,
        settings: changed({}, change),
        createdAt: deps.clock.now(),
      };
      const { teamSlug: _, plan: __, ...args } = project;
      await writer.run('CreateProject', args);
      return viewOf(project);
    },
    async 'project.list'({ team: reference }) {
      const team = await lookup.team(reference);
      return { projects: (await projects.listByTeam(team.id)).map(viewOf) };
    },
    async 'project.settings'({ project: reference, ...change }) {
      const project = await lookup.project(reference);
      const settings = changed(project.settings, change);
      if (Object.keys(change).length > 0) {
        await writer.run('SetProjectSettings', { projectId: project.id, settings });
      }
      return viewOf({ ...project, settings });
    },

    async 'account.create'({ name, ...more }) {
      if (isId(name, 'acc')) {
        throw refuse('invalid', 'The name of an account cannot look like an id.');
      }
      const account = { id: deps.newId('acc'), name, ...more, createdAt: deps.clock.now() };
      await writer.run('CreateAccount', account);
      return account;
    },
    async 'account.list'() {
      return { accounts: await teams.listAccounts() };
    },

    async 'account.set-operator'({ account: reference, operator }) {
      const { id } = await lookup.account(reference);
      await writer.run('UpdateAccount', { accountId: id, operator });
      return await lookup.account(id);
    },
    async 'account.delete'({ account: reference }) {
      const { id: accountId } = await lookup.account(reference);
      await writer.run('DeleteAccount', { accountId });
      return { deleted: true };
    },

    async 'member.add'({ team: teamReference, account: accountReference, role = 'developer' }) {
      const team = await lookup.team(teamReference);
      const account = await lookup.account(accountReference);
      await writer.run('PutMember', { teamId: team.id, accountId: account.id, role });
      return { teamId: team.id, accountId: account.id, accountName: account.name, role };
    },
    async 'member.list'({ team: reference }) {
      const team = await lookup.team(reference);
      return { members: await teams.listMembers(team.id) };
    },
    async 'member.remove'({ team: teamReference, account: accountReference }) {
      const team = await lookup.team(teamReference);
      const account = await lookup.account(accountReference);
      await writer.run('RemoveMember', { teamId: team.id, accountId: account.id });
      return { removed: true };
    },
  };
}

async function newProject(path: string, lookup: AdminLookup) {
  const [teamReference = '', slug, ...rest] = path.split('/');
  if (slug === undefined || rest.length > 0 || !isSlug(slug)) {
    throw refuse(
      'invalid',
      `A project is named team/project, each 1 to 63 lower-case letters and digits, between which ".", "_", "__" or dashes may stand; ${quote(path)} is not.`,
      'npx gantry admin project create my-team/my-project',
    );
  }
  return { team: await lookup.team(teamReference), slug };
}

/** What is given replaces, null removes, absent stays. */
function changed(settings: ProjectSettings, change: ProjectSettingsChange): ProjectSettings {
  const functions = change.functions && { ...settings.functions, ...change.functions };
  const merged = { ...settings, ...change, ...(functions && { functions }) };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

function viewOf(project: Project): ProjectView {
  const { id, plan, settings, createdAt } = project;
  return { id, path: pathOf(project), plan, settings, createdAt };
}
