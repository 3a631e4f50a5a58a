/** Names of S3's API, for the requests that a blob store makes. */
export type S3Operation =
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjects'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListMultipartUploads'
  | 'other';

/** What a path-style request (`/bucket/key?…`) asks for. */
export function operationOf(method: string, url: string): S3Operation {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const hasKey = pathname.replace(/\/$/, '').split('/').length > 2;
  const hasUpload = searchParams.has('uploadId');
  if (!hasKey) {
    if (method !== 'GET') return 'other';
    return searchParams.has('uploads') ? 'ListMultipartUploads' : 'ListObjects';
  }
  switch (method) {
    case 'PUT':
      return hasUpload ? 'UploadPart' : 'PutObject';
    case 'GET':
      return hasUpload ? 'ListParts' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'DELETE':
      return hasUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (hasUpload) return 'CompleteMultipartUpload';
      return searchParams.has('uploads') ? 'CreateMultipartUpload' : 'other';
    default:
      return 'other';
  }
}
