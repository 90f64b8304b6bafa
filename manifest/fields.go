package manifest

// The fields of all records, by the names they have in files. The numbers are
// only used within one record.

const (
	sMin int8 = iota
	sMax
	sNulls
)

var statsSpecs = []spec{
	{name: "_MIN_VALUES", id: sMin, shape: aBytes},
	{name: "_MAX_VALUES", id: sMax, shape: aBytes},
	{name: "_NULL_COUNTS", id: sNulls, shape: aLongs, optional: true},
}

const (
	eVersion int8 = iota
	eKind
	ePartition
	eBucket
	eTotal
	eFile
)

var entrySpecs = []spec{
	{name: "_VERSION", id: eVersion, shape: aLong},
	{name: "_KIND", id: eKind, shape: aLong},
	{name: "_PARTITION", id: ePartition, shape: aBytes},
	{name: "_BUCKET", id: eBucket, shape: aLong},
	{name: "_TOTAL_BUCKETS", id: eTotal, shape: aLong},
	{name: "_FILE", id: eFile, shape: aRecord, sub: fileSpecs},
}

const (
	fName int8 = iota
	fSize
	fRows
	fMinKey
	fMaxKey
	fKeyStats
	fValueStats
	fMinSequence
	fMaxSequence
	fSchemaID
	fLevel
	fExtraFiles
	fCreation
	fDeleteRows
	fEmbedded
	fSource
	fStatsCols
	fExternal
	fFirstRow
	fWriteCols
)

var fileSpecs = []spec{
	{name: "_FILE_NAME", id: fName, shape: aBytes},
	{name: "_FILE_SIZE", id: fSize, shape: aLong},
	{name: "_ROW_COUNT", id: fRows, shape: aLong},
	{name: "_MIN_KEY", id: fMinKey, shape: aBytes},
	{name: "_MAX_KEY", id: fMaxKey, shape: aBytes},
	{name: "_KEY_STATS", id: fKeyStats, shape: aRecord, sub: statsSpecs},
	{name: "_VALUE_STATS", id: fValueStats, shape: aRecord, sub: statsSpecs},
	{name: "_MIN_SEQUENCE_NUMBER", id: fMinSequence, shape: aLong},
	{name: "_MAX_SEQUENCE_NUMBER", id: fMaxSequence, shape: aLong},
	{name: "_SCHEMA_ID", id: fSchemaID, shape: aLong},
	{name: "_LEVEL", id: fLevel, shape: aLong},
	{name: "_EXTRA_FILES", id: fExtraFiles, shape: aTexts},
	{name: "_CREATION_TIME", id: fCreation, shape: aLong, optional: true},
	{name: "_DELETE_ROW_COUNT", id: fDeleteRows, shape: aLong, optional: true},
	{name: "_EMBEDDED_FILE_INDEX", id: fEmbedded, shape: aBytes, optional: true},
	{name: "_FILE_SOURCE", id: fSource, shape: aLong, optional: true},
	{name: "_VALUE_STATS_COLS", id: fStatsCols, shape: aTexts, optional: true},
	{name: "_EXTERNAL_PATH", id: fExternal, shape: aBytes, optional: true},
	{name: "_FIRST_ROW_ID", id: fFirstRow, shape: aLong, optional: true},
	{name: "_WRITE_COLS", id: fWriteCols, shape: aTexts, optional: true},
}

const (
	mVersion int8 = iota
	mName
	mSize
	mAdded
	mDeleted
	mStats
	mSchemaID
	mMinBucket
	mMaxBucket
	mMinLevel
	mMaxLevel
	mMinRow
	mMaxRow
)

var metaSpecs = []spec{
	{name: "_VERSION", id: mVersion, shape: aLong},
	{name: "_FILE_NAME", id: mName, shape: aBytes},
	{name: "_FILE_SIZE", id: mSize, shape: aLong},
	{name: "_NUM_ADDED_FILES", id: mAdded, shape: aLong},
	{name: "_NUM_DELETED_FILES", id: mDeleted, shape: aLong},
	{name: "_PARTITION_STATS", id: mStats, shape: aRecord, sub: statsSpecs},
	{name: "_SCHEMA_ID", id: mSchemaID, shape: aLong},
	{name: "_MIN_BUCKET", id: mMinBucket, shape: aLong, optional: true},
	{name: "_MAX_BUCKET", id: mMaxBucket, shape: aLong, optional: true},
	{name: "_MIN_LEVEL", id: mMinLevel, shape: aLong, optional: true},
	{name: "_MAX_LEVEL", id: mMaxLevel, shape: aLong, optional: true},
	{name: "_MIN_ROW_ID", id: mMinRow, shape: aLong, optional: true},
	{name: "_MAX_ROW_ID", id: mMaxRow, shape: aLong, optional: true},
}

const (
	iVersion int8 = iota
	iKind
	iPartition
	iBucket
	iType
	iName
	iSize
	iRows
	iRanges
	iExternal
	iGlobal
)

var indexSpecs = []spec{
	{name: "_VERSION", id: iVersion, shape: aLong},
	{name: "_KIND", id: iKind, shape: aLong},
	{name: "_PARTITION", id: iPartition, shape: aBytes},
	{name: "_BUCKET", id: iBucket, shape: aLong},
	{name: "_INDEX_TYPE", id: iType, shape: aBytes},
	{name: "_FILE_NAME", id: iName, shape: aBytes},
	{name: "_FILE_SIZE", id: iSize, shape: aLong},
	{name: "_ROW_COUNT", id: iRows, shape: aLong},
	{name: "_DELETIONS_VECTORS_RANGES", id: iRanges, shape: aRecords, optional: true, sub: rangeSpecs},
	{name: "_EXTERNAL_PATH", id: iExternal, shape: aBytes, optional: true},
	{name: "_GLOBAL_INDEX", id: iGlobal, shape: aRecord, optional: true, sub: globalSpecs},
}

const (
	rFile int8 = iota
	rOffset
	rLength
	rCardinality
)

var rangeSpecs = []spec{
	{name: "f0", id: rFile, shape: aBytes},
	{name: "f1", id: rOffset, shape: aLong},
	{name: "f2", id: rLength, shape: aLong},
	{name: "_CARDINALITY", id: rCardinality, shape: aLong, optional: true},
}

const (
	gStart int8 = iota
	gEnd
	gField
	gExtraFields
	gMeta
)

var globalSpecs = []spec{
	{name: "_ROW_RANGE_START", id: gStart, shape: aLong},
	{name: "_ROW_RANGE_END", id: gEnd, shape: aLong},
	{name: "_INDEX_FIELD_ID", id: gField, shape: aLong},
	{name: "_EXTRA_FIELD_IDS", id: gExtraFields, shape: aLongs, optional: true},
	{name: "_INDEX_META", id: gMeta, shape: aBytes, optional: true},
}
