/** Writes the JSON Schemas (2020-12) of what is printed as JSON, from the types that print it: node docs/schemas/make.ts. `test/contract` holds recordings against them. */
import { writeFileSync } from 'node:fs';
import { createGenerator, type SchemaGenerator } from 'ts-json-schema-generator';

const root = new URL('../../', import.meta.url);

const files = ['src/diagnose/diagnosis.ts', 'src/scan/scan.ts', 'src/cli/reach.ts', 'src/cli/selfcheck.ts', 'src/cli/version.ts'];
/** Made once: it reads all types of the program. */
let generator: SchemaGenerator | undefined;

/** By file of the schema: the type, and what it is of. */
export const printed = {
  diagnosis: ['Diagnosis', 'What svc, ingress, route, url and demo print with -o json'],
  scan: ['ScanJson', 'What scan prints with -o json'],
  reach: ['ReachJson', 'What reach prints with -o json'],
  'reach-test': ['ReachTestJson', 'What reach --test prints with -o json'],
  'reach-matrix': ['ReachMatrixJson', 'What reach --matrix prints with -o json'],
  selfcheck: ['SelfCheckJson', 'What selfcheck prints with -o json'],
  version: ['VersionJson', 'What version prints with -o json'],
} as const;

/** The schema of one of them. Other fields are allowed: the contract can grow. */
export function schemaOf(name: keyof typeof printed): object {
  const [type, description] = printed[name];
  generator ??= createGenerator({
    path: new URL(`{${files.join(',')}}`, root).pathname,
    tsconfig: new URL('tsconfig.json', root).pathname,
    skipTypeCheck: true,
    additionalProperties: true,
    topRef: false,
    encodeRefs: false,
  });
  const { definitions, $schema: _, ...own } = generator.createSchema(type) as Record<string, unknown>;
  const whole = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: type.replace(/Json$/, ''),
    description,
    ...own,
    ...(definitions ? { $defs: definitions } : {}),
  };
  return JSON.parse(JSON.stringify(whole).replaceAll('#/definitions/', '#/$defs/')) as object;
}

if (import.meta.main)
  for (const name of Object.keys(printed) as (keyof typeof printed)[])
    writeFileSync(new URL(`${name}.schema.json`, import.meta.url), `${JSON.stringify(schemaOf(name), null, 2)}\n`);
