// Decompression of whole deflate streams (RFC 1951) into memory of a known size, about twice as fast as zlib: codes are looked up 11 bits
// at a time from a register of 64, and copies are made in words.
//
// It says only whether a stream is whole, right and of the expected size. Whatever else there is to say about one, and forms that
// nobody writes, are left to zlib. It never reads beyond the input nor writes beyond the output.
#include "CFileIO.h"

#include <string.h>

enum {
  LITERAL_BITS = 11,
  DISTANCE_BITS = 8,
  LITERAL_ROOM = 4096,
  DISTANCE_ROOM = 2048,
  IS_LITERAL = 1u << 31,
  IS_POINTER = 1u << 15,
  IS_END = 1u << 14,
  GREATEST_LENGTH = 258,
};

// An entry of a table. Bits 0 to 7: bits of the code, with its extra bits. Bits 8 to 11: extra bits, or of a pointer the bits of the
// second table. Bits 16 to 30: the literal, the base of the length or distance, or where the second table begins. Zero: no code.
typedef uint32_t entry;

typedef struct {
  entry literals[LITERAL_ROOM];
  entry distances[DISTANCE_ROOM];
} tables;

typedef struct {
  const uint8_t *in, *in_end;
  uint64_t buffer;
  unsigned bits;
} source;

static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                         31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
// One less than the distance, which then fits 15 bits; the greatest base is 24576.
static const uint16_t distance_base[30] = {0,   1,   2,   3,   4,   6,    8,    12,   16,   24,   32,   48,   64,    96,    128,
                                           192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576};
static const uint8_t distance_extra[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                           6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

static uint64_t load64(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  value = __builtin_bswap64(value);
#endif
  return value;
}

// What a symbol means; its code's bits are added later.
typedef entry (*meaning)(unsigned symbol);

static entry literal_meaning(unsigned symbol) {
  if (symbol < 256) return IS_LITERAL | symbol << 16;
  if (symbol == 256) return IS_END;
  if (symbol > 285) return 0;
  return (entry)length_base[symbol - 257] << 16 | (entry)length_extra[symbol - 257] << 8;
}

static entry distance_meaning(unsigned symbol) {
  if (symbol > 29) return 0;
  return (entry)distance_base[symbol] << 16 | (entry)distance_extra[symbol] << 8;
}

static entry code_meaning(unsigned symbol) { return symbol << 16; }

static unsigned reversed(unsigned code, unsigned length) {
  unsigned result = 0;
  for (unsigned bit = 0; bit < length; bit++) result |= (code >> bit & 1) << (length - 1 - bit);
  return result;
}

// Builds the table of a complete code. Of distances, one code alone or none is allowed. Returns 0 for any other.
static int build(entry *table, unsigned room, unsigned bits, const uint8_t *lengths, unsigned count, meaning mean, int may_be_few) {
  unsigned counts[16] = {0}, next[16], greatest = 0;
  for (unsigned symbol = 0; symbol < count; symbol++) counts[lengths[symbol]]++;
  counts[0] = 0;
  for (unsigned length = 1; length < 16; length++)
    if (counts[length]) greatest = length;
  int left = 1;
  unsigned code = 0;
  for (unsigned length = 1; length < 16; length++) {
    left = left * 2 - (int)counts[length];
    if (left < 0) return 0;
    code = (code + counts[length - 1]) << 1;
    next[length] = code;
  }
  if (left > 0 && !(may_be_few && greatest <= 1)) return 0;
  unsigned used = 1u << bits;
  memset(table, 0, used * sizeof *table);
  uint16_t order[320];
  unsigned places[17] = {0};
  for (unsigned length = 1; length < 16; length++) places[length + 1] = places[length] + counts[length];
  unsigned total = places[16];
  for (unsigned symbol = 0; symbol < count; symbol++)
    if (lengths[symbol]) order[places[lengths[symbol]]++] = (uint16_t)symbol;
  unsigned second = 0, second_bits = 0, prefix = ~0u;
  for (unsigned index = 0; index < total; index++) {
    unsigned symbol = order[index], length = lengths[symbol];
    unsigned pattern = reversed(next[length]++, length);
    entry meant = mean(symbol);
    // Symbols that do not exist have codes in the fixed tables, and stay without an entry.
    int exists = mean == distance_meaning ? symbol < 30 : meant != 0 || mean == code_meaning;
    unsigned extra = meant & IS_LITERAL || mean == code_meaning ? 0 : meant >> 8 & 0x0F;
    if (length <= bits) {
      entry whole = exists ? meant | (length + extra) : 0;
      for (unsigned place = pattern; place < 1u << bits; place += 1u << length) table[place] = whole;
    } else {
      unsigned low = pattern & ((1u << bits) - 1);
      if (low != prefix) {
        prefix = low;
        second = used;
        second_bits = length - bits;
        int open = 1 << second_bits;
        while (second_bits + bits < greatest) {
          open -= (int)counts[second_bits + bits];
          if (open <= 0) break;
          second_bits++;
          open <<= 1;
        }
        used += 1u << second_bits;
        if (used > room) return 0;
        memset(table + second, 0, sizeof *table << second_bits);
        table[low] = IS_POINTER | second << 16 | second_bits << 8 | bits;
      }
      entry whole = exists ? meant | (length - bits + extra) : 0;
      for (unsigned place = pattern >> bits; place < 1u << second_bits; place += 1u << (length - bits)) table[second + place] = whole;
    }
    counts[length]--;
  }
  return 1;
}

// Makes at least `count` bits available, of at most 48. Returns 0 at the end of the input.
static int need(source *from, unsigned count) {
  while (from->bits < count) {
    if (from->in == from->in_end) return 0;
    from->buffer |= (uint64_t)*from->in++ << from->bits;
    from->bits += 8;
  }
  return 1;
}

static unsigned take(source *from, unsigned count) {
  unsigned value = (unsigned)(from->buffer & ((1ull << count) - 1));
  from->buffer >>= count;
  from->bits -= count;
  return value;
}

// Gives back whole bytes that were read ahead.
static void give_back(source *from) {
  from->in -= from->bits >> 3;
  from->bits &= 7;
  from->buffer &= (1ull << from->bits) - 1;
}

static int read_codes(source *from, tables *to) {
  static const uint8_t places[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  if (!need(from, 14)) return 0;
  unsigned literals = take(from, 5) + 257, distances = take(from, 5) + 1, codes = take(from, 4) + 4;
  if (literals > 286 || distances > 30) return 0;
  uint8_t lengths[320] = {0};
  for (unsigned index = 0; index < codes; index++) {
    if (!need(from, 3)) return 0;
    lengths[places[index]] = (uint8_t)take(from, 3);
  }
  entry table[128];
  if (!build(table, 128, 7, lengths, 19, code_meaning, 0)) return 0;
  memset(lengths, 0, 19);
  unsigned at = 0;
  while (at < literals + distances) {
    // At the very end of the input there may be fewer bits than the longest code has; a stream has a block's end after this.
    if (!need(from, 14)) return 0;
    entry found = table[from->buffer & 127];
    take(from, found & 0xFF);
    unsigned symbol = found >> 16;
    if (symbol < 16) {
      lengths[at++] = (uint8_t)symbol;
      continue;
    }
    unsigned value = 0, repeat;
    if (symbol == 16) {
      if (at == 0) return 0;
      value = lengths[at - 1];
      repeat = 3 + take(from, 2);
    } else {
      repeat = symbol == 17 ? 3 + take(from, 3) : 11 + take(from, 7);
    }
    if (at + repeat > literals + distances) return 0;
    while (repeat--) lengths[at++] = (uint8_t)value;
  }
  if (lengths[256] == 0) return 0;
  return build(to->literals, LITERAL_ROOM, LITERAL_BITS, lengths, literals, literal_meaning, 0) &&
         build(to->distances, DISTANCE_ROOM, DISTANCE_BITS, lengths + literals, distances, distance_meaning, 1);
}

static int fixed_codes(tables *to) {
  uint8_t lengths[288];
  for (unsigned symbol = 0; symbol < 288; symbol++) lengths[symbol] = symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8;
  if (!build(to->literals, LITERAL_ROOM, LITERAL_BITS, lengths, 288, literal_meaning, 0)) return 0;
  memset(lengths, 5, 32);
  return build(to->distances, DISTANCE_ROOM, DISTANCE_BITS, lengths, 32, distance_meaning, 0);
}

// The buffer has at least 56 bits afterwards. Bits beyond those counted are those of the input, too, so that adding them again changes
// nothing. Eight bytes have to be readable.
#define REFILL()                     \
  do {                               \
    buffer |= load64(in) << bits;    \
    in += (63 - bits) >> 3;          \
    bits |= 56;                      \
  } while (0)

#define USE(count)        \
  do {                    \
    buffer >>= (count);   \
    bits -= (count);      \
  } while (0)

#define LOOK_UP(table, width, found)                                                            \
  do {                                                                                          \
    found = (table)[buffer & ((1u << (width)) - 1)];                                            \
    if (found & IS_POINTER) {                                                                   \
      USE(width);                                                                               \
      found = (table)[(found >> 16 & 0x1FFF) + (buffer & ((1u << (found >> 8 & 0x0F)) - 1))];   \
    }                                                                                           \
  } while (0)

// Decodes while there is ample input and output. Returns 0 for damage, 1 at the end of the block, 2 when it gets tight.
static int fast_block(source *from, const tables *codes, uint8_t *out_start, uint8_t **out_place, uint8_t *out_end) {
  const uint8_t *in = from->in;
  uint64_t buffer = from->buffer;
  unsigned bits = from->bits;
  uint8_t *out = *out_place;
  int result = 2;
  if (from->in_end - in < 16 || out_end - out < GREATEST_LENGTH + 48) return 2;
  const uint8_t *in_limit = from->in_end - 16;
  uint8_t *out_limit = out_end - (GREATEST_LENGTH + 48);
  while (in <= in_limit && out <= out_limit) {
    REFILL();
    entry found;
    // Three literals take 45 bits at most.
    LOOK_UP(codes->literals, LITERAL_BITS, found);
    if (found & IS_LITERAL) {
      USE(found & 0xFF);
      *out++ = (uint8_t)(found >> 16);
      LOOK_UP(codes->literals, LITERAL_BITS, found);
      if (found & IS_LITERAL) {
        USE(found & 0xFF);
        *out++ = (uint8_t)(found >> 16);
        LOOK_UP(codes->literals, LITERAL_BITS, found);
        if (found & IS_LITERAL) {
          USE(found & 0xFF);
          *out++ = (uint8_t)(found >> 16);
          continue;
        }
      }
    }
    if (found == 0) {
      result = 0;
      break;
    }
    uint64_t before = buffer;
    USE(found & 0xFF);
    if (found & IS_END) {
      result = 1;
      break;
    }
    unsigned extra = found >> 8 & 0x0F, whole = found & 0xFF;
    unsigned length = (found >> 16 & 0x1FF) + (unsigned)(before >> (whole - extra) & ((1u << extra) - 1));
    REFILL();
    LOOK_UP(codes->distances, DISTANCE_BITS, found);
    if ((found & 0xFF) == 0) {
      result = 0;
      break;
    }
    before = buffer;
    extra = found >> 8 & 0x0F;
    whole = found & 0xFF;
    USE(whole);
    size_t distance = 1 + (found >> 16) + (size_t)(before >> (whole - extra) & ((1u << extra) - 1));
    if (distance > (size_t)(out - out_start)) {
      result = 0;
      break;
    }
    const uint8_t *copy = out - distance;
    uint8_t *end = out + length;
    if (distance >= 16) {
      // Up to 15 bytes too many are written, which come later.
      do {
        uint8_t word[16];
        memcpy(word, copy, 16);
        memcpy(out, word, 16);
        copy += 16;
        out += 16;
      } while (out < end);
    } else if (distance == 1) {
      memset(out, *copy, length);
    } else {
      // What repeats every `distance` bytes repeats every multiple of it: words are copied from at least eight before.
      size_t step = distance;
      while (step < 8) step += distance;
      uint8_t *stop = out + 8;
      while (out < stop) *out++ = *copy++;
      copy = out - step;
      while (out < end) {
        memcpy(out, copy, 8);
        copy += 8;
        out += 8;
      }
    }
    out = end;
  }
  from->in = in;
  from->bits = bits;
  from->buffer = bits < 64 ? buffer & ((1ull << bits) - 1) : buffer;
  *out_place = out;
  return result;
}

// Decodes one symbol or copy at a time, with every limit checked. Returns as above, and 2 when there is ample room again.
static int careful_block(source *from, const tables *codes, uint8_t *out_start, uint8_t **out_place, uint8_t *out_end) {
  uint8_t *out = *out_place;
  for (;;) {
    uint64_t buffer;
    unsigned bits;
    entry found;
    need(from, 48);
    buffer = from->buffer;
    bits = from->bits;
    // Beyond the end of the input there are zeros, and more bits are used than there were.
    bits += 64;
    LOOK_UP(codes->literals, LITERAL_BITS, found);
    if (found == 0) return 0;
    uint64_t before = buffer;
    USE(found & 0xFF);
    if (bits < 64) return 0;
    if (found & IS_LITERAL) {
      if (out == out_end) return 0;
      *out++ = (uint8_t)(found >> 16);
    } else if (!(found & IS_END)) {
      unsigned extra = found >> 8 & 0x0F, whole = found & 0xFF;
      size_t length = (found >> 16 & 0x1FF) + (size_t)(before >> (whole - extra) & ((1u << extra) - 1));
      LOOK_UP(codes->distances, DISTANCE_BITS, found);
      if ((found & 0xFF) == 0) return 0;
      before = buffer;
      extra = found >> 8 & 0x0F;
      whole = found & 0xFF;
      USE(whole);
      if (bits < 64) return 0;
      size_t distance = 1 + (found >> 16) + (size_t)(before >> (whole - extra) & ((1u << extra) - 1));
      if (distance > (size_t)(out - out_start) || length > (size_t)(out_end - out)) return 0;
      for (const uint8_t *copy = out - distance; length > 0; length--) *out++ = *copy++;
      found = 0;
    }
    from->buffer = buffer;
    from->bits = bits - 64;
    *out_place = out;
    if (found & IS_END) return 1;
    if (from->in_end - from->in >= 64 && out_end - out >= GREATEST_LENGTH + 112) return 2;
  }
}

int cfileio_inflate(const uint8_t *in, size_t in_count, uint8_t *out, size_t out_count, size_t *used) {
  source from = {in, in + in_count, 0, 0};
  tables codes;
  uint8_t *place = out, *out_end = out + out_count;
  int is_last;
  do {
    if (!need(&from, 3)) return 0;
    is_last = (int)take(&from, 1);
    switch (take(&from, 2)) {
      case 0: {
        give_back(&from);
        from.bits = 0;
        from.buffer = 0;
        if (from.in_end - from.in < 4) return 0;
        size_t count = from.in[0] | (size_t)from.in[1] << 8;
        if ((from.in[2] | (size_t)from.in[3] << 8) != (count ^ 0xFFFF)) return 0;
        from.in += 4;
        if (count > (size_t)(from.in_end - from.in) || count > (size_t)(out_end - place)) return 0;
        if (count > 0) memcpy(place, from.in, count);
        from.in += count;
        place += count;
        continue;
      }
      case 1:
        if (!fixed_codes(&codes)) return 0;
        break;
      case 2:
        if (!read_codes(&from, &codes)) return 0;
        break;
      default: return 0;
    }
    for (;;) {
      int state = fast_block(&from, &codes, out, &place, out_end);
      if (state == 2) state = careful_block(&from, &codes, out, &place, out_end);
      if (state == 0) return 0;
      if (state == 1) break;
    }
  } while (!is_last);
  give_back(&from);
  if (place != out_end) return 0;
  *used = (size_t)(from.in - in);
  return 1;
}

uint32_t cfileio_adler32(const uint8_t *bytes, size_t count) {
  uint32_t first = 1, second = 0;
  while (count > 0) {
    // As many as do not overflow 32 bits.
    size_t part = count < 5552 ? count : 5552;
    count -= part;
    while (part >= 32) {
      uint32_t sum = 0, weighted = 0;
      for (unsigned index = 0; index < 32; index++) {
        sum += bytes[index];
        weighted += (32 - index) * bytes[index];
      }
      second += 32 * first + weighted;
      first += sum;
      bytes += 32;
      part -= 32;
    }
    while (part-- > 0) {
      first += *bytes++;
      second += first;
    }
    first %= 65521;
    second %= 65521;
  }
  return second << 16 | first;
}
