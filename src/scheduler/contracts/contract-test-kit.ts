import type { ServiceSettings } from '../../ports/functions.ts';
import type { ContractPlace, ContractRequest, RoleCredentials } from './contract.ts';

export function placeOf(settings: ServiceSettings = {}, port = 80): ContractPlace {
  return {
    service: {
      serviceId: 'svc_1',
      name: 'web',
      repositoryId: 'repo_1',
      repository: 'acme/shop/web',
      digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000' as never,
      settings,
    },
    teamId: 'team_1',
    teamSlug: 'acme',
    projectId: 'prj_1',
    projectSlug: 'shop',
    deploymentId: 'dpl_1',
    environment: 'preview',
    host: 'shop-abc.functions.example',
    instanceId: 'ins_1',
    region: 'eu-central-1',
    memory: 512 * 1024 * 1024,
    port,
  };
}

export const credentials: RoleCredentials = {
  oidcToken: 'jwt',
  accessKeyId: 'key-id',
  accessKeySecret: 'key-secret',
  securityToken: 'security-token',
};

export function requestOf(kind: ContractRequest['kind'] = 'http'): ContractRequest {
  return {
    id: 'req_1',
    method: 'GET',
    path: '/a?b',
    host: 'shop.functions.example:8443',
    proto: 'https',
    address: '203.0.113.9',
    kind,
  };
}
