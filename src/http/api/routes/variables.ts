import { refuse } from '../../../oci/errors.ts';
import {
  type Environment,
  environments,
  type Variable,
  variableContext,
} from '../../../ports/secrets.ts';
import { limitOf, pageQuery } from '../paging.ts';
import { type Call, noContent, ok, type Route } from '../route.ts';
import { object, oneOf, page, time, toTime } from '../schema.ts';
import { longestValue, variableName } from './secrets.ts';

const value = {
  type: 'string',
  maxLength: longestValue,
  // No process can be given a variable with it.
  pattern: '^[^\\u0000]*$',
  description: `At most ${longestValue} characters, none of them NUL.`,
} as const;
const variable = object(
  {
    name: { type: 'string' },
    value: { type: 'string' },
    createdAt: time,
    updatedAt: time,
    updatedBy: { type: 'string' },
  },
  { title: 'Variable' },
);
const path = '/teams/{team}/projects/{project}/env/{environment}';
const access = { at: 'project', action: 'functions', or: 'manage' } as const;
const tag = 'Environments';
const environment = {
  ...oneOf(...environments),
  description: 'production, preview or development.',
};
const params = { environment, name: variableName } as const;

/** Variables by environment: sealed at rest, shown again to who may set them. */
export const variableRoutes: readonly Route[] = [
  {
    method: 'GET',
    path,
    operationId: 'listVariables',
    tag,
    summary: "The variables of a project's environment with their values, by name.",
    access,
    params: { environment },
    query: pageQuery(),
    replies: { 200: { description: 'A page of them.', schema: page(variable, 'Variables') } },
    async handle(call) {
      const { cursors, metadata } = call.services;
      const place = { projectId: call.project.id, environment: environmentOf(call) };
      const scope = `variables:${place.projectId}/${place.environment}`;
      const [after] = cursors.read(scope, call.query.cursor) ?? [];
      const limit = limitOf(call);
      const rows = await metadata.variables.page(place, after as string | undefined, limit + 1);
      const { items, next } = cursors.page(scope, rows, limit, (row) => [row.name]);
      return ok({ items: items.map((row) => viewOf(call, row)), next });
    },
  },
  {
    method: 'GET',
    path: `${path}/{name}`,
    operationId: 'getVariable',
    tag,
    summary: 'A variable with its value.',
    access,
    params,
    replies: { 200: { description: 'The variable.', schema: variable } },
    async handle(call) {
      return ok(viewOf(call, await variableOf(call)));
    },
  },
  {
    method: 'PUT',
    path: `${path}/{name}`,
    operationId: 'putVariable',
    tag,
    summary: 'Sets a variable.',
    access,
    params,
    body: object({ value }, { title: 'VariableValue' }),
    replies: {
      200: { description: 'It has the new value.', schema: variable },
      201: { description: 'It is made.', schema: variable },
    },
    async handle(call) {
      const { services, project, identity } = call;
      const [environment, name] = [environmentOf(call), call.params.name!];
      const { value } = call.body as { value: string };
      const { created } = await services.metadata.writer.run('PutVariable', {
        ...{ projectId: project.id, environment, name, actor: identity.actor },
        sealed: services.sealer.seal(value, variableContext(project.id, environment, name)),
        now: services.clock.now(),
      });
      services.functions?.environmentChanged(project.id);
      return { status: created ? 201 : 200, body: viewOf(call, await variableOf(call)) };
    },
  },
  {
    method: 'DELETE',
    path: `${path}/{name}`,
    operationId: 'deleteVariable',
    tag,
    summary: 'Deletes a variable.',
    access,
    params,
    replies: { 204: { description: 'It is gone.' } },
    async handle(call) {
      const { services, project, params } = call;
      const place = { projectId: project.id, environment: environmentOf(call) };
      await services.metadata.writer.run('DeleteVariable', { ...place, name: params.name! });
      services.functions?.environmentChanged(project.id);
      return noContent;
    },
  },
];

const environmentOf = ({ params }: Call) => params.environment as Environment;

async function variableOf(call: Call): Promise<Variable> {
  const { services, project, params } = call;
  const { variables } = services.metadata;
  const found = await variables.find(project.id, environmentOf(call), params.name!);
  if (found) return found;
  throw refuse('not-found', 'The environment has no such variable.');
}

function viewOf(call: Call, { name, sealed, createdAt, updatedAt, updatedBy }: Variable) {
  const context = variableContext(call.project.id, environmentOf(call), name);
  return {
    ...{ name, value: call.services.sealer.unseal(sealed, context), updatedBy },
    createdAt: toTime(createdAt),
    updatedAt: toTime(updatedAt),
  };
}
