import { knowsTeam, mayAct, mayActInTeam } from '../../auth/authorizer.ts';
import { refuse } from '../../oci/errors.ts';
import { isNameComponent } from '../../oci/reference.ts';
import type { Identity } from '../../ports/identity.ts';
import type { Metadata } from '../../ports/metadata.ts';
import type { Project } from '../../ports/projects.ts';
import type { Repository } from '../../ports/repositories.ts';
import type { Team } from '../../ports/teams.ts';
import type { Services } from '../services.ts';
import { unauthorized } from './principal.ts';
import type { Access } from './route.ts';

/** The places that a path names, as far as the caller may know of them. */
export interface Places {
  readonly team?: Team;
  readonly project?: Project;
  readonly repository?: Repository;
}

/**
 * Finds what the path names and asks whether the caller may do the route's action there. What a stranger
 * hears is the same whether the place exists or not: 401 without credentials, else 404. Who knows the
 * place and may not do this is told 403; `known` hears of the place first.
 */
export async function grantAccess(
  services: Pick<Services, 'metadata'>,
  identity: Identity,
  access: Access,
  params: Readonly<Record<string, string>>,
  known: (places: Places) => void = () => {},
): Promise<Places> {
  const stranger = identity.kind === 'anonymous';
  switch (access.at) {
    case 'public':
      return {};
    case 'signed-in':
      if (stranger) throw unauthorized();
      return {};
    case 'operator':
      if (stranger) throw unauthorized();
      if (!identity.operator) {
        throw denied(identity, 'needs an operator of this installation', operatorHint);
      }
      return {};
    case 'team': {
      const team = await findTeam(services, params.team ?? '');
      if (!team || !(knowsTeam(identity, team.id) || identity.operator)) throw absent(identity);
      known({ team });
      const may =
        access.action === 'known' ||
        mayActInTeam(identity, team.id, access.action) ||
        (identity.operator === true && (access.action === 'manage' || access.action === 'pull'));
      if (!may) throw denied(identity, `needs the action ${access.action} in the whole team`);
      return { team };
    }
    case 'project':
    case 'repository':
      return inProject(services, identity, access, params, known);
  }
}

async function inProject(
  { metadata }: Pick<Services, 'metadata'>,
  identity: Identity,
  access: Extract<Access, { at: 'project' | 'repository' }>,
  params: Readonly<Record<string, string>>,
  tell: (places: Places) => void,
): Promise<Places> {
  const team = await findTeam({ metadata }, params.team ?? '');
  const slug = params.project ?? '';
  const project =
    team && isNameComponent(slug)
      ? await metadata.projects.findBySlugs(team.slug, slug)
      : undefined;
  const name = params.repository ?? '';
  const repository =
    project && access.at === 'repository' && isNameComponent(name)
      ? await metadata.repositories.find({ team: team!.slug, project: slug, repository: name })
      : undefined;
  const place = access.at === 'repository' ? repository : project && placeOf(project);
  const known = place ?? (project && placeOf(project));
  const wanted = [access.action, ...(access.at === 'project' && access.or ? [access.or] : [])];
  const knows =
    known && ['pull' as const, ...wanted].some((action) => mayAct(identity, known, action));
  const shown = knows || (project && (await hasPublicParts(metadata, access, project)));
  if (!team || !project || !place || !shown) throw absent(identity);
  if (!knows) return { team, project };
  tell({ team, project });
  if (!wanted.some((action) => mayAct(identity, place, action))) {
    if (identity.kind === 'anonymous') throw unauthorized();
    throw denied(identity, `needs the action ${wanted.join(' or ')} there`);
  }
  return { team, project, ...(repository && { repository }) };
}

async function hasPublicParts(metadata: Metadata, access: Access, project: Project) {
  if (access.at !== 'project' || !access.orPublicParts) return false;
  return metadata.repositories.hasPublic(project.id);
}

export async function findTeam({ metadata }: Pick<Services, 'metadata'>, slugOrId: string) {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(slugOrId)) return undefined;
  return (await metadata.teams.findById(slugOrId)) ?? (await metadata.teams.findBySlug(slugOrId));
}

function placeOf(project: Project) {
  return { teamId: project.teamId, projectId: project.id, visibility: 'private' as const };
}

export function absent(identity: Identity) {
  if (identity.kind === 'anonymous') return unauthorized();
  return refuse(
    'not-found',
    'There is no such thing, or you have no access to it.',
    'Check the path, and which account or token you use.',
  );
}

const roleHint =
  'Use a token of a wider scope, or ask an admin of the team for a role or a trust policy that allows it.';
const operatorHint =
  "Use a token of scope admin, for all projects, of an operator's account; whoever runs the server makes one: npx gantry admin account create --help";

function denied(identity: Identity, why: string, hint = roleHint) {
  return refuse('denied', `${identity.actor} may not do this: it ${why}.`, hint);
}
