# What `cpack -G DEB` in the build folder makes a Debian package of. Its dependencies are those of the program as built.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "kvmscope maintainers <kvmscope@example.org>" CACHE STRING
  "the maintainer that packages name")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "inspector of KVM's x86 MMU, live and in crash dumps")
set(CPACK_PACKAGE_DESCRIPTION
"Walks the VMs, vCPUs, roots, shadow pages and page tables of KVM's x86 MMU,
in the kernel that runs (/proc/kcore) or in a vmcore: in a shell, in one-shot
commands, in jobs for cron.
.
It needs debug info of the kernel it looks at, which no package can depend on
in general: Debian's linux-image-VERSION-dbg of that very kernel has it.")
# Files that name where the program is need the true prefix, not one below a temporary folder.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# Loaded when --debuginfod asks for it.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libdebuginfod1, makedumpfile, crash")

# Debian's own documents, in the package alone.
set(documents ${CMAKE_CURRENT_BINARY_DIR}/debian)
string(TIMESTAMP KVMSCOPE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)  # SOURCE_DATE_EPOCH is heeded
configure_file(scripts/cmake/changelog.in ${documents}/changelog @ONLY)
configure_file(scripts/cmake/copyright.in ${documents}/copyright @ONLY)
install(CODE "
  if(CMAKE_INSTALL_PREFIX STREQUAL /usr)
    execute_process(COMMAND gzip -9 -n -k -f changelog WORKING_DIRECTORY ${documents}
      COMMAND_ERROR_IS_FATAL ANY)
    file(INSTALL ${documents}/changelog.gz ${documents}/copyright
      DESTINATION /usr/share/doc/kvmscope)
  endif()")

include(CPack)
