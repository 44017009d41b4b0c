#ifndef LSTM_FT_CHDF5_SHIM_H
#define LSTM_FT_CHDF5_SHIM_H

#include <hdf5.h>
#include <stdint.h>

// Swift does not import function-like macros, nor object-like macros whose expansion contains a cast, a comma
// or a function call. HDF5's predefined ids expand to `(H5open(), variable)`.

// Property list classes: `(H5OPEN ..._g)` macros.
static inline hid_t chdf5_class_file_access(void) { return H5P_FILE_ACCESS; }
static inline hid_t chdf5_class_file_create(void) { return H5P_FILE_CREATE; }
static inline hid_t chdf5_class_group_create(void) { return H5P_GROUP_CREATE; }
static inline hid_t chdf5_class_dataset_create(void) { return H5P_DATASET_CREATE; }
static inline hid_t chdf5_class_dataset_transfer(void) { return H5P_DATASET_XFER; }
static inline hid_t chdf5_class_link_access(void) { return H5P_LINK_ACCESS; }
static inline hid_t chdf5_class_attribute_create(void) { return H5P_ATTRIBUTE_CREATE; }
static inline hid_t chdf5_class_link_create(void) { return H5P_LINK_CREATE; }

// Predefined datatypes: `(H5OPEN ..._g)` macros. They belong to libhdf5 and are only copied.
static inline hid_t chdf5_type_f32(void) { return H5T_IEEE_F32LE; }
static inline hid_t chdf5_type_f64(void) { return H5T_IEEE_F64LE; }
static inline hid_t chdf5_type_i8(void) { return H5T_STD_I8LE; }
static inline hid_t chdf5_type_i16(void) { return H5T_STD_I16LE; }
static inline hid_t chdf5_type_i32(void) { return H5T_STD_I32LE; }
static inline hid_t chdf5_type_i64(void) { return H5T_STD_I64LE; }
static inline hid_t chdf5_type_u8(void) { return H5T_STD_U8LE; }
static inline hid_t chdf5_type_u16(void) { return H5T_STD_U16LE; }
static inline hid_t chdf5_type_u32(void) { return H5T_STD_U32LE; }
static inline hid_t chdf5_type_u64(void) { return H5T_STD_U64LE; }
static inline hid_t chdf5_type_c_string(void) { return H5T_C_S1; }

// Constants whose macros contain a cast or a comma operator.
static inline hid_t chdf5_default(void) { return (hid_t)H5P_DEFAULT; }
static inline hid_t chdf5_all(void) { return (hid_t)H5S_ALL; }
static inline size_t chdf5_variable(void) { return H5T_VARIABLE; }
static inline haddr_t chdf5_undefined_address(void) { return HADDR_UNDEF; }
static inline unsigned chdf5_open_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned chdf5_open_truncate(void) { return H5F_ACC_TRUNC; }
static inline unsigned chdf5_creation_order(void) {
    return H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED;
}
static inline unsigned chdf5_edge_chunks_unfiltered(void) {
    return H5D_CHUNK_DONT_FILTER_PARTIAL_CHUNKS;
}

// H5Eset_auto2 takes a nullable function pointer whose typedef has different attributes in different releases.
static inline herr_t chdf5_silence(void) { return H5Eset_auto2(H5E_DEFAULT, NULL, NULL); }

// An object's type, its number of attributes, and a key that identifies it within its file.
typedef struct {
    H5O_type_t type;
    uint64_t key[2];
    uint64_t attributes;
} chdf5_object;

// H5Oget_info is a macro whose number of arguments depends on the release and on the API version that the library was
// configured for. From 1.12 on, an object has a token instead of an address.
static inline herr_t chdf5_object_info(hid_t object, chdf5_object *out) {
    out->key[0] = out->key[1] = 0;
#if H5_VERSION_GE(1, 12, 0)
    H5O_info2_t info;
    herr_t result = H5Oget_info3(object, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
    if (result < 0) return result;
    uint8_t *key = (uint8_t *)out->key;
    for (int i = 0; i < 16 && i < H5O_MAX_TOKEN_SIZE; i++) key[i] = info.token.__data[i];
#else
    H5O_info_t info;
    herr_t result = H5Oget_info2(object, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS);
    if (result < 0) return result;
    out->key[0] = info.addr;
#endif
    out->type = info.type;
    out->attributes = info.num_attrs;
    return result;
}

// Called for each link with its name and its type (H5L_TYPE_HARD is 0). A result above 0 ends the iteration.
typedef int (*chdf5_link_visitor)(const char *name, int type, void *context);

typedef struct {
    chdf5_link_visitor visit;
    void *context;
} chdf5_link_visit;

// H5Literate and its callback's struct are versioned like H5Oget_info.
#if H5_VERSION_GE(1, 12, 0)
static inline herr_t chdf5_link_trampoline(hid_t group, const char *name, const H5L_info2_t *info, void *data) {
#else
static inline herr_t chdf5_link_trampoline(hid_t group, const char *name, const H5L_info_t *info, void *data) {
#endif
    (void)group;
    chdf5_link_visit *visit = (chdf5_link_visit *)data;
    return visit->visit(name, (int)info->type, visit->context);
}

static inline herr_t chdf5_iterate_links(hid_t group, int by_creation, chdf5_link_visitor visitor, void *context) {
    chdf5_link_visit visit = {visitor, context};
    H5_index_t index = by_creation ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
    hsize_t position = 0;
#if H5_VERSION_GE(1, 12, 0)
    return H5Literate2(group, index, H5_ITER_INC, &position, chdf5_link_trampoline, &visit);
#else
    return H5Literate(group, index, H5_ITER_INC, &position, chdf5_link_trampoline, &visit);
#endif
}

// HDF5's file locks are advisory and fail on file systems without locks. The property exists from 1.10.7 and 1.12.1 on;
// in earlier releases the environment variable HDF5_USE_FILE_LOCKING decides.
static inline herr_t chdf5_set_file_locking(hid_t access, int use) {
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
    return H5Pset_file_locking(access, use != 0, 1);
#else
    (void)access;
    (void)use;
    return 0;
#endif
}

static inline herr_t chdf5_refuse_external_file(const char *parent_file, const char *parent_group,
                                                const char *child_file, const char *child_object,
                                                unsigned *flags, hid_t access, void *data) {
    (void)parent_file; (void)parent_group; (void)child_file; (void)child_object;
    (void)flags; (void)access; (void)data;
    return -1;
}

// The nullability in the callback's typedef changed between releases, so no single Swift closure fits all of them.
static inline herr_t chdf5_refuse_external_links(hid_t link_access) {
    return H5Pset_elink_cb(link_access, chdf5_refuse_external_file, NULL);
}

// From 2.0 on, H5Dread_chunk is a macro for a function that also takes the size of the buffer.
static inline herr_t chdf5_read_chunk(hid_t dataset, const hsize_t *offset, uint32_t *mask, void *buffer, size_t size) {
#if defined(H5Dread_chunk_vers)
    return H5Dread_chunk2(dataset, H5P_DEFAULT, offset, mask, buffer, &size);
#else
    (void)size;
    return H5Dread_chunk(dataset, H5P_DEFAULT, offset, mask, buffer);
#endif
}

// H5Dvlen_reclaim became H5Treclaim in 1.12.
static inline herr_t chdf5_reclaim(hid_t type, hid_t space, void *buffer) {
#if H5_VERSION_GE(1, 12, 0)
    return H5Treclaim(type, space, H5P_DEFAULT, buffer);
#else
    return H5Dvlen_reclaim(type, space, H5P_DEFAULT, buffer);
#endif
}

#endif
