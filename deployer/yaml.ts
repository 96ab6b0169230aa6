import {
  CORE_SCHEMA,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  load,
  mapTag,
  mergeTag,
  seqTag,
  strTag,
} from 'js-yaml';

/** Compose's own tags (`!reset`, `!override`) say how files are merged; here they are read over. */
const anyTag = { matchByTagPrefix: true };
const schema = CORE_SCHEMA.withTags(
  mergeTag, // "<<: *anchor"
  defineScalarTag('!', { ...strTag, ...anyTag }),
  defineSequenceTag('!', { ...seqTag, ...anyTag }),
  defineMappingTag('!', { ...mapTag, ...anyTag }),
);

/** Reads a YAML file as Compose does; what cannot be understood is thrown, with line and column in its message. */
export function parseYaml(text: string): unknown {
  return load(text, { schema });
}
