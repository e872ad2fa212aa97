/**
 * Every bound, with its unit last in its name. Lengths that come from input are checked against these before
 * anything is allocated.
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Largest source or target image, fills included. */
  image_bytes_max: 2 ** 34,
  /** What an image may have beside its fills: all that is matched, coded or sorted. Int32 suffix arrays end here. */
  dense_bytes_max: 2 ** 31 - 64 * KIB,
  /** Runs of one byte value that a payload names instead of coding them, of one image; and the least of one. */
  fills_max: 2 ** 16,
  fill_bytes_min: 64 * KIB,
  /** Transport chunks are authenticated one by one; a device holds one before it is trusted. */
  chunk_bytes: 64 * KIB,
  /** A segment is decoded into memory whole, before its digest lets it out. */
  segment_bytes_min: 64 * KIB,
  segment_bytes_max: 16 * MIB,
  /** Fixed part, segment table and chunk table together. */
  header_bytes_max: 2 * MIB,
  /** The plan (covers of the whole image), as coded. */
  plan_bytes_max: 8 * MIB,
  /** Three 8-byte numbers a cover: 12 MiB at this bound. */
  covers_max: 2 ** 19,
  /** log2 of the slots of a model table: 4 KiB to 16 MiB each. */
  model_bits_min: 10,
  model_bits_max: 22,
  /** A body up to here stands in the header and needs no chunk digests. */
  inline_body_bytes_max: 4 * KIB,
  /** Regions of an image: code, tables. */
  regions_max: 2 ** 16,
  /** Base addresses of one region of the source. */
  bases_max: 8,
  /** A decoder may declare no more than this. */
  decoder_memory_bytes_max: 128 * MIB,
  /** Work that a payload may declare, in units of 2^20 look-ups (format/work.ts). */
  decoder_work_units_max: 2 ** 20,
  /** Compressed streams of an image, what one of them may unpack to, and pieces of the virtual stream. */
  units_max: 2 ** 17,
  unit_content_bytes_max: 16 * MIB,
  /** No compressor makes much more of what it cannot compress. */
  unit_packed_bytes_max: 17 * MIB,
  unit_pieces_max: 2 ** 19,
  /** Stretches of an image that its units pass over: one for each block of a flash. */
  unit_skips_max: 2 ** 17,
  /** Blocks of one deflate stream, and how many more of them may be empty than not: flushes make one each. */
  unit_blocks_max: 2 ** 17,
  unit_blocks_empty_max: 2 ** 10,
  /** Blocks of one xz stream. */
  xz_blocks_max: 2 ** 16,
  /** What an encoder takes out of one container: a file or unit more, and the container is left as it is. */
  container_files_max: 2 ** 20,
  container_units_max: 2 ** 20,
  /** Unpacked bytes of one table of a file system. */
  container_table_bytes_max: 256 * MIB,
  /** Source bytes read by one call while applying. */
  source_window_bytes: 64 * KIB,
  /** Foreign patches (BSDIFF40) are read whole into memory up to here. */
  foreign_patch_bytes_max: 512 * MIB,
  /** Inputs that do not tell their size (files of procfs) are read whole into memory up to here. */
  unsized_input_bytes_max: 64 * MIB,
  /** A foreign patch's control triples, and those among them that make nothing. */
  foreign_controls_max: 2 ** 24,
  foreign_empty_controls_max: 2 ** 16,
  /** One metadata document (TUF role file). */
  metadata_bytes_max: 8 * MIB,
  /** The two that are asked for before anything says how long they are. */
  root_bytes_max: 512 * KIB,
  timestamp_bytes_max: 64 * KIB,
  /** New root versions that one refresh goes through. */
  root_rotations_max: 256,
  /** Delegated roles that are looked through for one target. */
  delegated_roles_max: 32,
  /** One durable record of the agent (journal, boot state, counters). */
  record_bytes_max: 1 * MIB,
  /** Versions of the trusted root that a keystore with hardware keeps. */
  root_chain_max: 192,
  /** What a server may say about the time between two polls: a mistake there silences no device, and makes no storm. */
  poll_ms_min: 10_000,
  poll_ms_max: 7 * 86_400_000,
  /** What a server's `Retry-After` may ask for at most: one that says a day is asked again after an hour. */
  retry_after_ms_max: 3_600_000,
  /** Ranges of one HTTP request; a request for more is answered with the whole blob. */
  http_ranges_max: 64,
  /** Request bodies: what a device may send, and what the management API accepts. */
  ddi_body_bytes_max: 128 * KIB,
  management_body_bytes_max: 1 * MIB,
  /** What a device may tell of itself, and of one attempt; longer feedback is cut, never refused. */
  device_attributes_max: 256,
  device_attribute_chars_max: 1024,
  feedback_details_max: 64,
  feedback_detail_chars_max: 4096,
  /** Deadlines of a connection to the server: to the end of a header, of a body, of silence, between two requests. */
  http_header_ms: 20_000,
  http_request_ms: 120_000,
  http_silence_ms: 120_000,
  http_keep_alive_ms: 75_000,
  /** What the server remembers of its devices between two polls, so that an idle one asks no database: some 300 B each. */
  poll_states_max: 2 ** 17,
  /** Free texts of a device's report, as they are sent: what hawkBit keeps of one line, and how many lines. */
  report_line_chars_max: 512,
  report_lines_max: 4,
  /** Ended actions that a device remembers, with the reports that wait to be taken. */
  ended_actions_max: 8,
  /** Any answer of a server to a poll or a report. */
  ddi_answer_bytes_max: 1 * MIB,
  /** Rows of one answer of the management API. */
  page_rows_max: 500,
  /** Devices named one by one in a deployment. */
  deployment_devices_max: 10_000,
  /** Characters of a filter of devices, and parentheses in each other. */
  filter_chars_max: 4096,
  filter_depth_max: 32,
  rollout_groups_max: 500,
  /** A job that was begun so often and not ended has failed: it takes its workers with it. */
  job_attempts_max: 5,
  /** Without a word of its worker for so long a job is another one's; and the longest time before it is tried again. */
  job_lease_ms: 60_000,
  job_backoff_ms_max: 600_000,
  /** Uploads that are under way, one request of them, and how long nothing may come before they are swept. */
  uploads_open_max: 32,
  upload_piece_bytes_max: 64 * MIB,
  upload_idle_ms: 86_400_000,
  /** How long a device may be kept waiting for a delta at most. */
  delta_wait_ms_max: 86_400_000,
} as const;
